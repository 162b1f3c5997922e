import { compareKeys } from "@stowage/core";

/** Keys in one leaf after it was filled; it splits at twice as many. */
const leafSize = 512;

/** Up to so many new keys for each leaf are put in one by one; more are merged with all there is. */
const insertedPerLeaf = 64;

/** New keys that may wait beyond as many as are there, until the order is given up. */
const slack = 1024;

/**
 * The keys of a storage in the order of their UTF-8 bytes: a list of sorted leaves.
 *
 * The order is made when somebody first asks for it, so that a storage that is never listed does not pay for it. From then
 * on new keys wait unsorted until the next walk. A walk looks at O(log n) keys to find its start, then at those that it
 * gives.
 */
export class SortedKeys {
  readonly #all: () => Iterable<string>;
  readonly #isThere: (key: string) => boolean;
  #leaves: string[][] = [];
  /** Came since the last walk. May repeat a key, and may name some that went again. */
  #added: string[] = [];
  #made = false;

  constructor(all: () => Iterable<string>, isThere: (key: string) => boolean) {
    this.#all = all;
    this.#isThere = isThere;
  }

  /** Takes a key that was not there before; `count` are there now. */
  add(key: string, count: number): void {
    if (!this.#made) return;
    this.#added.push(key);
    if (this.#added.length > count + slack) this.clear();
  }

  /** Drops a key. */
  remove(key: string): void {
    if (this.#made) this.#removeSorted(key);
  }

  clear(): void {
    this.#leaves = [];
    this.#added = [];
    this.#made = false;
  }

  /**
   * The keys in order, from the first that is not before the start. `isBefore` holds for a number of first keys and for
   * none after them. Nothing may be added or removed during the walk.
   */
  *from(isBefore: (key: string) => boolean): Generator<string, void, void> {
    this.#sort();
    let index = firstWhere(this.#leaves.length, (at) => !isBefore(this.#leaves[at]!.at(-1)!));
    let leaf = this.#leaves[index];
    if (leaf === undefined) return;
    let position = positionOf(leaf, isBefore);
    while (leaf !== undefined) {
      for (; position < leaf.length; position++) yield leaf[position]!;
      leaf = this.#leaves[++index];
      position = 0;
    }
  }

  #sort(): void {
    if (!this.#made) {
      this.#made = true;
      this.#fill(Array.from(this.#all()).sort(compareKeys));
    } else if (this.#added.length > 0) {
      const added = Array.from(new Set(this.#added)).filter(this.#isThere).sort(compareKeys);
      this.#added = [];
      if (added.length < this.#leaves.length * insertedPerLeaf) for (const key of added) this.#insert(key);
      else this.#fill(merge(this.#leaves.flat(), added));
    }
  }

  #fill(keys: readonly string[]): void {
    this.#leaves = [];
    for (let start = 0; start < keys.length; start += leafSize) this.#leaves.push(keys.slice(start, start + leafSize));
  }

  #insert(key: string): void {
    const index = Math.min(this.#leafFor(key), this.#leaves.length - 1);
    const leaf = this.#leaves[index]!;
    const position = positionOf(leaf, (other) => compareKeys(other, key) < 0);
    if (leaf[position] === key) return;
    leaf.splice(position, 0, key);
    if (leaf.length >= 2 * leafSize) this.#leaves.splice(index + 1, 0, leaf.splice(leafSize));
  }

  #removeSorted(key: string): void {
    const index = this.#leafFor(key);
    const leaf = this.#leaves[index];
    if (leaf === undefined) return;
    const position = positionOf(leaf, (other) => compareKeys(other, key) < 0);
    if (leaf[position] !== key) return;
    leaf.splice(position, 1);
    if (leaf.length === 0) this.#leaves.splice(index, 1);
  }

  /** The first leaf that ends at the key or after it. */
  #leafFor(key: string): number {
    return firstWhere(this.#leaves.length, (at) => compareKeys(this.#leaves[at]!.at(-1)!, key) >= 0);
  }
}

function positionOf(leaf: readonly string[], isBefore: (key: string) => boolean): number {
  return firstWhere(leaf.length, (at) => !isBefore(leaf[at]!));
}

/** The first of `count` places where a condition holds that, once it holds, holds for all that follow. */
function firstWhere(count: number, holds: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Two sorted lists as one, each key once. */
function merge(left: readonly string[], right: readonly string[]): string[] {
  const merged: string[] = [];
  let at = 0;
  for (const key of right) {
    while (at < left.length && compareKeys(left[at]!, key) < 0) merged.push(left[at++]!);
    if (left[at] === key) at++;
    merged.push(key);
  }
  while (at < left.length) merged.push(left[at++]!);
  return merged;
}
