import { checkOptions, legacyUntil, nearestName } from "@stowage/core";
import type { EncryptedOptions, KeyOptions } from "./encrypted.ts";
import { longestKeyId } from "./format.ts";
import { passphraseSource, quoted, refusal, secretSource } from "./key-sources.ts";
import type { KeySecret, KeySource } from "./key-sources.ts";
import { suiteChoice } from "./suites.ts";
import type { Suite, SuiteName } from "./suites.ts";

/** The options with defaults, checked. */
export interface Settings {
  readonly sources: ReadonlyMap<string, KeySource>;
  readonly current: string;
  readonly suite: SuiteName | "auto";
  readonly suiteFor: (size: number) => Suite;
  readonly context: string;
  /** Values without a header are given before this moment. */
  readonly legacyUntil: number;
}

/** What the id of a key may be. */
export const keyId: { readonly source: string; readonly meaning: string } = {
  source: `^[A-Za-z0-9][A-Za-z0-9._:/-]{0,${longestKeyId - 1}}$`,
  meaning: "a key id: 1 to 32 letters, digits or . _ : / -",
};

const suites: readonly string[] = ["auto", "xchacha20-poly1305", "aes-256-gcm"];

/** Checks everything that needs no I/O, and copies the secrets: those of the caller stay the caller's. */
export function settle(options: EncryptedOptions): Settings {
  checkOptions({}, options, "encrypted", ["keys", "current", "suite", "context", "legacy"]);
  const { keys, suite = "auto", context = "", legacy } = options;
  const sources = sourcesOf(keys);
  const current = options.current ?? String(sources.keys().next().value);
  if (!sources.has(current)) throw refusal(`current must be the id of one of the keys, and ${quoted(current)} is none`);
  if (!suites.includes(suite)) throw refusal(`suite must be ${suites.map(quoted).join(" or ")}`);
  if (typeof context !== "string" || !context.isWellFormed()) throw refusal("context must be a well-formed text");
  return { sources, current, suite, suiteFor: suiteChoice(suite), context, legacyUntil: settleLegacy(legacy) };
}

/** There is an end to it: for ever, whoever can write below could pass off anything. */
function settleLegacy(legacy: EncryptedOptions["legacy"]): number {
  try {
    if ((legacy as unknown) !== "raw") return legacyUntil(legacy, "encrypted");
  } catch {
    // which tells what other layers take
  }
  throw refusal("legacy must be { until: a date }: for ever, whoever can write below could pass off anything");
}

/** Forgets the secrets of settings that were only made to be checked. */
export function wipe({ sources }: Settings): void {
  for (const source of sources.values()) if (source instanceof Uint8Array) source.fill(0);
}

function sourcesOf(keys: readonly KeyOptions[]): ReadonlyMap<string, KeySource> {
  if (!Array.isArray(keys) || keys.length === 0) throw refusal("keys must be a list of at least one key");
  const sources = new Map<string, KeySource>();
  for (const key of keys as readonly KeyOptions[]) {
    const id: unknown = typeof key === "object" && key !== null ? key.id : undefined;
    if (typeof id !== "string" || !new RegExp(keyId.source).test(id)) throw refusal(`each of keys must have ${keyId.meaning}`);
    if (sources.has(id)) throw refusal(`keys has the id ${quoted(id)} twice`);
    sources.set(id, sourceOf(key, id));
  }
  return sources;
}

const keyNames: readonly string[] = ["id", "secret", "passphrase", "salt", "memory", "passes"];

function sourceOf(key: KeyOptions, id: string): KeySource {
  for (const name of Object.keys(key)) {
    const near = nearestName(name, keyNames);
    if (!keyNames.includes(name))
      throw refusal(`the key ${quoted(id)} has an option that does not exist${near === undefined ? "" : `; did you mean ${near}?`}`);
  }
  const { secret, passphrase } = key as { readonly secret?: unknown; readonly passphrase?: unknown };
  if ((secret === undefined) === (passphrase === undefined))
    throw refusal(`the key ${quoted(id)} must have either a secret or a passphrase`);
  if ("passphrase" in key && key.passphrase !== undefined) return passphraseSource(key, id);
  if (["salt", "memory", "passes"].some((name) => name in key && key[name as keyof KeyOptions] !== undefined)) {
    throw refusal(`the key ${quoted(id)} has a secret, to which salt, memory and passes do not apply`);
  }
  return secretSource(secret as KeySecret, id);
}
