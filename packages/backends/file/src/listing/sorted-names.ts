import { compareKeys } from "@stowage/core";

/** Names sorted in one go: about two milliseconds of work. */
const fullRun = 4096;

/** What a name costs in memory beside its characters, about. */
const overhead = 32;

const surrogate = /[\ud800-\udfff]/;

/** Orders two texts. */
export type Compare = (a: string, b: string) => number;

/**
 * The names of a folder in order, gathered in runs that are sorted one by one and merged as they are read, so that a large
 * folder stops nobody for long. Bounded: when there are too many, the upper half is dropped, and `ceiling` says from
 * where on names are missing.
 */
export class SortedNames {
  readonly #maxSize: number;
  readonly #runSize: number;
  #runs: string[][] = [];
  #gathering: string[] = [];
  #size = 0;
  #ceiling: string | undefined;
  #compare: Compare = compareUnits;

  constructor(maxSize: number, runSize: number = fullRun) {
    this.#maxSize = maxSize;
    this.#runSize = runSize;
  }

  /** About the bytes of memory that it takes. */
  get size(): number {
    return this.#size;
  }

  /** Names from this one on, itself included, are missing; `undefined`: none are. */
  get ceiling(): string | undefined {
    return this.#ceiling;
  }

  add(name: string): void {
    if (this.#compare === compareUnits && surrogate.test(name)) this.#useFullOrder();
    if (this.#ceiling !== undefined && this.#compare(name, this.#ceiling) >= 0) return;
    this.#size += name.length + overhead;
    if (this.#gathering.push(name) < this.#runSize) return;
    this.#endRun();
    if (this.#size > this.#maxSize) this.#dropUpperHalf();
  }

  /** To be called once, after the last `add`. */
  end(): this {
    this.#endRun();
    return this;
  }

  /** The names for which `isBefore` is false, in order; `isBefore` holds for a lower part of them. */
  from(isBefore: (name: string) => boolean): NameCursor {
    return new NameCursor(this.#runs, this.#compare, isBefore);
  }

  #endRun(): void {
    if (this.#gathering.length === 0) return;
    this.#sort(this.#gathering);
    this.#runs.push(this.#gathering);
    this.#gathering = [];
  }

  #sort(names: string[]): void {
    if (this.#compare === compareUnits) names.sort();
    else names.sort(this.#compare);
  }

  /** Strings order surrogates below the last characters of the basic plane; UTF-8 does not. */
  #useFullOrder(): void {
    this.#compare = compareKeys;
    for (const run of this.#runs) run.sort(compareKeys);
  }

  #dropUpperHalf(): void {
    const middles = this.#runs.map((run) => run[run.length >> 1]!).sort(this.#compare);
    const ceiling = middles[middles.length >> 1]!;
    this.#ceiling = ceiling;
    this.#size = 0;
    this.#runs = this.#runs.map((run) =>
      run.slice(
        0,
        firstIndex(run, (name) => this.#compare(name, ceiling) < 0),
      ),
    );
    this.#runs = this.#runs.filter((run) => run.length > 0);
    for (const run of this.#runs) for (const name of run) this.#size += name.length + overhead;
  }
}

/** Reads sorted runs as one: a heap of the runs by their next name. */
export class NameCursor {
  readonly #runs: readonly (readonly string[])[];
  readonly #compare: Compare;
  readonly #positions: number[];
  /** Indexes of runs that are not at their end; the one with the lowest name is first. */
  #heap: number[] = [];
  /** The next name of each run. */
  readonly #heads: string[] = [];

  constructor(runs: readonly (readonly string[])[], compare: Compare, isBefore: (name: string) => boolean) {
    this.#runs = runs;
    this.#compare = compare;
    this.#positions = runs.map((run) => firstIndex(run, isBefore));
    this.#build();
  }

  /** The next name, which stays the next one until `advance`. */
  get name(): string | undefined {
    return this.#heap.length === 0 ? undefined : this.#heads[this.#heap[0]!];
  }

  advance(): void {
    const heap = this.#heap;
    const run = heap[0]!;
    const next = this.#runs[run]![++this.#positions[run]!];
    if (next !== undefined) this.#heads[run] = next;
    else {
      const last = heap.pop()!;
      if (heap.length === 0) return;
      heap[0] = last;
    }
    if (heap.length > 1) this.#sink(0);
  }

  /** Goes on to the first name for which `isBefore` is false. */
  skip(isBefore: (name: string) => boolean): void {
    for (const [index, run] of this.#runs.entries()) this.#positions[index] = firstIndex(run, isBefore, this.#positions[index]);
    this.#build();
  }

  #build(): void {
    this.#heap = [];
    for (const [run, names] of this.#runs.entries()) {
      const head = names[this.#positions[run]!];
      this.#heads[run] = head ?? "";
      if (head !== undefined) this.#heap.push(run);
    }
    for (let index = this.#heap.length >> 1; index >= 0; index--) this.#sink(index);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const heads = this.#heads;
    const run = heap[from];
    if (run === undefined) return;
    const name = heads[run]!;
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#compare(heads[heap[child + 1]!]!, heads[heap[child]!]!) < 0) child++;
      if (this.#compare(name, heads[heap[child]!]!) <= 0) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = run;
  }
}

const compareUnits: Compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** The first index from `low` on at which `isBefore` is false. */
function firstIndex(names: readonly string[], isBefore: (name: string) => boolean, low = 0): number {
  let high = names.length;
  let first = low;
  while (first < high) {
    const middle = (first + high) >> 1;
    if (isBefore(names[middle]!)) first = middle + 1;
    else high = middle;
  }
  return first;
}
