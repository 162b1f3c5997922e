/** Why a stored value cannot be given, before it is known whose value it is. */
export class Unreadable extends Error {
  readonly code: "corrupt" | "unsupported";

  constructor(code: Unreadable["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Stored bytes that do not fit together. `what` is the end of a sentence. */
export class Damage extends Unreadable {
  constructor(what: string) {
    super("corrupt", `The stored value is damaged: ${what}.`);
  }
}

/** A value that a later version wrote. */
export function newer(what: string): Unreadable {
  return new Unreadable("unsupported", `The value has ${what} that this version of @stowage/envelope does not know; update the package.`);
}
