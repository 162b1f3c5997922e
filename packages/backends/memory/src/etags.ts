const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Every two-letter end of an etag: to add one to a start that is at hand takes a third of writing a number as text. */
const ends: readonly string[] = Array.from(alphabet).flatMap((first) => Array.from(alphabet, (second) => first + second));
const perStart = 4096;

/**
 * Numbers the versions of a storage, and writes them as etags. A random start keeps the etags of another storage, or of
 * an earlier process, from matching.
 */
export class Etags {
  readonly #storage: string = Math.random().toString(36).slice(2, 8);
  #versions = 0;
  #base = 0;
  #start: string = this.#startOf(0);

  nextVersion(): number {
    return this.#versions++;
  }

  of(version: number): string {
    const end = version % perStart;
    const base = version - end;
    if (base !== this.#base) {
      this.#base = base;
      this.#start = this.#startOf(base);
    }
    return this.#start + ends[end]!;
  }

  #startOf(base: number): string {
    return this.#storage + (base / perStart).toString(36);
  }
}
