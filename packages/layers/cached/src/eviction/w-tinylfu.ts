import { CellList, mostMoves } from "./cell-list.ts";
import type { Cell, Eviction, Limits } from "./eviction.ts";
import { FrequencySketch } from "./frequency-sketch.ts";

/** The share of the cache where newcomers prove themselves, and the share of the rest that is protected; figures of the paper. */
const windowShare = 0.01;
const protectedShare = 0.8;

/** Keys that are counted from the start, where so many are allowed; room for more is made when they come. */
const mostReserved = 1_000_000;
const leastReserved = 1_024;

const window = 0;
const probation = 1;
const sheltered = 2;

/**
 * W-TinyLFU (Einziger and others, "TinyLFU: a highly efficient cache admission policy", 2017). A newcomer that leaves the
 * window stays only if it was asked for more often than the cell that would have to go. Best where popularity is steady,
 * or where scans and loops pass by.
 */
export class TinyLfuEviction<C extends Cell> implements Eviction<C> {
  readonly #window = new CellList<C>(window);
  readonly #probation = new CellList<C>(probation);
  readonly #protected = new CellList<C>(sheltered);
  readonly #sketch = new FrequencySketch();
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#sketch.reserve(Number.isFinite(limits.maxEntries) ? Math.min(limits.maxEntries, mostReserved) : leastReserved);
  }

  add(cell: C): void {
    this.#sketch.reserve(this.#count);
    this.#sketch.see(cell.key);
    this.#window.addFirst(cell);
  }

  touch(cell: C): void {
    this.#sketch.see(cell.key);
    if (cell.list === window) return this.#window.moveFirst(cell);
    if (cell.list === sheltered) return this.#protected.moveFirst(cell);
    this.#probation.remove(cell);
    this.#protected.addFirst(cell);
    const { maxEntries, maxSize } = this.#limits;
    this.#spill(this.#protected, maxEntries * protectedShare, maxSize * protectedShare);
  }

  remove(cell: C): void {
    this.#listOf(cell).remove(cell);
  }

  evict(): C | undefined {
    const { maxEntries, maxSize } = this.#limits;
    const candidate = this.#spill(this.#window, Math.max(1, maxEntries * windowShare), maxSize * windowShare);
    const victim = this.#probation.last ?? this.#protected.last ?? this.#window.last;
    if (victim === undefined) return undefined;
    const loser =
      candidate !== undefined && candidate !== victim && this.#sketch.estimate(candidate.key) <= this.#sketch.estimate(victim.key)
        ? candidate
        : victim;
    this.remove(loser);
    return loser;
  }

  clear(): void {
    for (const list of [this.#window, this.#probation, this.#protected]) list.clear();
    this.#sketch.clear();
  }

  get #count(): number {
    return this.#window.count + this.#probation.count + this.#protected.count;
  }

  /** Puts on probation what a list has too much of, or leaves the rest of it to the next step. Returns the last of them. */
  #spill(list: CellList<C>, entries: number, bytes: number): C | undefined {
    let spilled: C | undefined;
    for (let moves = 0; moves < mostMoves && isOver(list, entries, bytes); moves++) {
      spilled = list.removeLast() as C;
      this.#probation.addFirst(spilled);
    }
    return spilled;
  }

  #listOf(cell: C): CellList<C> {
    return cell.list === window ? this.#window : cell.list === probation ? this.#probation : this.#protected;
  }
}

const isOver = ({ count, size }: CellList<Cell>, entries: number, bytes: number): boolean => count > entries || (count > 1 && size > bytes);
