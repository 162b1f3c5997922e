import { Unreadable } from "@stowage/core";

/** A value above `maxSize`. Where streams have no limit, they are the way out. */
export function tooLarge(
  { maxSize, maxStreamSize }: { readonly maxSize: number; readonly maxStreamSize: number },
  operation: "put" | "get" | "write" | "read",
): Unreadable {
  const ways: Readonly<Record<string, string>> =
    maxStreamSize > maxSize ? { put: "write it as a stream, or ", get: "read it as a stream, or " } : {};
  return new Unreadable("too-large", `The value has more bytes than maxSize, which is ${maxSize}: ${ways[operation] ?? ""}raise maxSize.`);
}
