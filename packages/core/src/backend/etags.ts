/** Etags that no other write has, in this process or another: 72 random bits of the process, and a count. */
export class Etags {
  readonly #start: string = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => letters[byte & 63]).join("");
  #count = 0;

  next(): string {
    return `${this.#start}-${(this.#count++).toString(36)}`;
  }
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~";
