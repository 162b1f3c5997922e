import { CellList } from "./cell-list.ts";
import type { Cell, Eviction, Limits } from "./eviction.ts";
import { FrequencySketch } from "./frequency-sketch.ts";

/** The share of the cache where newcomers prove themselves, and the share of the rest that is protected; figures of the paper. */
const windowShare = 0.01;
const protectedShare = 0.8;

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
    this.#sketch.reserve(Number.isFinite(limits.maxEntries) ? limits.maxEntries : 1_024);
  }

  add(cell: C): void {
    if (!Number.isFinite(this.#limits.maxEntries)) this.#sketch.reserve(this.#count);
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
    while (isOver(this.#protected, maxEntries * protectedShare, maxSize * protectedShare)) {
      this.#probation.addFirst(this.#protected.removeLast() as C);
    }
  }

  remove(cell: C): void {
    this.#listOf(cell).remove(cell);
  }

  evict(): C | undefined {
    const { maxEntries, maxSize } = this.#limits;
    let candidate: C | undefined;
    while (isOver(this.#window, Math.max(1, maxEntries * windowShare), maxSize * windowShare)) {
      candidate = this.#window.removeLast() as C;
      this.#probation.addFirst(candidate);
    }
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

  #listOf(cell: C): CellList<C> {
    return cell.list === window ? this.#window : cell.list === probation ? this.#probation : this.#protected;
  }
}

const isOver = ({ count, size }: CellList<Cell>, entries: number, bytes: number): boolean => count > entries || (count > 1 && size > bytes);
