const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Every two-letter end of an etag: taking one from here is cheaper than writing a number as text. */
const ends: readonly string[] = Array.from(alphabet).flatMap((first) => Array.from(alphabet, (second) => first + second));

/** Hands out etags, none twice. A random start keeps those of another storage, or of an earlier process, from matching. */
export class Etags {
  readonly #storage: string = Math.random().toString(36).slice(2, 8);
  #round = 0;
  #start = `${this.#storage}0`;
  #end = 0;

  next(): string {
    if (this.#end === ends.length) {
      this.#start = this.#storage + (++this.#round).toString(36);
      this.#end = 0;
    }
    return this.#start + ends[this.#end++]!;
  }
}
