import { compareKeys } from "@stowage/core";

/** Keys in one leaf after it was filled; it splits at twice as many. */
const leafSize = 512;

/** Repeated and dead keys that may wait in `#added` beyond the keys that are alive. */
const slack = 1024;

/**
 * The keys of a storage in the order of their UTF-8 bytes: a list of sorted leaves.
 *
 * New keys wait unsorted until somebody asks for the order, so that a storage that is never listed does not pay for it.
 * A walk looks at O(log n) keys to find its start, then at those that it gives.
 */
export class SortedKeys {
  readonly #isAlive: (key: string) => boolean;
  #leaves: string[][] = [];
  /** Came since the last walk. May repeat a key, and may name dead ones. */
  #added: string[] = [];
  #sorted = 0;

  constructor(isAlive: (key: string) => boolean) {
    this.#isAlive = isAlive;
  }

  /** Takes a key that was not there before. */
  add(key: string): void {
    this.#added.push(key);
  }

  /** Drops a key, after which `alive` are left. */
  remove(key: string, alive: number): void {
    if (this.#sorted > 0) this.#removeSorted(key);
    if (this.#added.length > 2 * alive + slack) this.#added = this.#addedOnce();
  }

  clear(): void {
    this.#leaves = [];
    this.#added = [];
    this.#sorted = 0;
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
    if (this.#added.length === 0) return;
    const added = this.#addedOnce().sort(compareKeys);
    this.#added = [];
    if (added.length * 8 < this.#sorted) {
      for (const key of added) this.#insert(key);
    } else {
      const keys = merge(this.#leaves.flat(), added);
      this.#sorted = keys.length;
      this.#leaves = [];
      for (let start = 0; start < keys.length; start += leafSize) this.#leaves.push(keys.slice(start, start + leafSize));
    }
  }

  #addedOnce(): string[] {
    return Array.from(new Set(this.#added)).filter(this.#isAlive);
  }

  #insert(key: string): void {
    const index = Math.min(this.#leafFor(key), this.#leaves.length - 1);
    const leaf = this.#leaves[index]!;
    const position = positionOf(leaf, (other) => compareKeys(other, key) < 0);
    if (leaf[position] === key) return;
    leaf.splice(position, 0, key);
    this.#sorted++;
    if (leaf.length >= 2 * leafSize) this.#leaves.splice(index + 1, 0, leaf.splice(leafSize));
  }

  #removeSorted(key: string): void {
    const index = this.#leafFor(key);
    const leaf = this.#leaves[index];
    if (leaf === undefined) return;
    const position = positionOf(leaf, (other) => compareKeys(other, key) < 0);
    if (leaf[position] !== key) return;
    leaf.splice(position, 1);
    this.#sorted--;
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
