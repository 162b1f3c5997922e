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
