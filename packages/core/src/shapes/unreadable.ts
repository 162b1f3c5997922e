import type { ErrorCode } from "../contract/storage-error.ts";

/** Why a stored value cannot be given, for a layer that knows only later whose value it is and then makes a `StorageError` of it. */
export class Unreadable extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Stored bytes that do not fit together: `corrupt`. `what` is the end of a sentence. */
export class Damage extends Unreadable {
  constructor(what: string, cause?: unknown) {
    super("corrupt", `The stored value is damaged: ${what}.`, cause);
  }
}

/** A value that a later version of a package wrote: `unsupported`. */
export function newerFormat(what: string, packageName: string): Unreadable {
  return new Unreadable("unsupported", `The value has ${what} that this version of ${packageName} does not know; update the package.`);
}
