import { StorageError } from "@stowage/core";

/** Why a stored value cannot be given, in a sentence and a code. */
const reasons = {
  "cut off": ["corrupt", "The stored value is damaged: it was cut off, or is longer than it was."],
  "not encrypted": [
    "corrupt",
    "The value was not stored through this layer; the option legacy: { until } gives values from before it, until a date.",
  ],
  version: ["unsupported", "The value has a format that this version of @stowage/encrypted does not know; update the package."],
  suite: ["unsupported", "The value has a suite that this version of @stowage/encrypted does not know; update the package."],
  "unknown key": ["unknown-key", "The value is encrypted with a key whose id is not in keys; add that key."],
  "wrong key": ["wrong-key", "The value is encrypted with another key than the one that keys has under its id."],
  header: ["tampered", "The value does not authenticate: it was changed, or was stored under another name or in another context."],
  chunk: ["tampered", "A part of the value does not authenticate: it was changed."],
} as const;

export type Reason = keyof typeof reasons;

export function unreadable(reason: Reason, key: string): StorageError {
  const [code, message] = reasons[reason];
  return new StorageError(code, message, { storage: "encrypted", key });
}
