/** Why a stored value cannot be given, before it is known whose value it is. */
export class Unreadable extends Error {
  readonly code: "corrupt" | "too-large" | "unsupported";

  constructor(code: Unreadable["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Stored bytes that do not fit together. `what` is the end of a sentence. */
export class Damage extends Unreadable {
  constructor(what: string, cause?: unknown) {
    super("corrupt", `The stored value is damaged: ${what}.`, cause);
  }
}

/** A value above `maxSize`. Where streams have no limit, they are the way out. */
export function tooLarge(
  { maxSize, maxStreamSize }: { readonly maxSize: number; readonly maxStreamSize: number },
  operation: "put" | "get" | "write" | "read",
): Unreadable {
  const ways: Readonly<Record<string, string>> =
    maxStreamSize > maxSize ? { put: "write it as a stream, or ", get: "read it as a stream, or " } : {};
  return new Unreadable("too-large", `The value has more bytes than maxSize, which is ${maxSize}: ${ways[operation] ?? ""}raise maxSize.`);
}
