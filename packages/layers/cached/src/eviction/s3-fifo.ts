import { CellList } from "./cell-list.ts";
import type { Cell, Eviction, Limits } from "./eviction.ts";
import { Ghosts } from "./ghosts.ts";

/** The share of the cache that newcomers may take; the figure of the paper. */
const smallShare = 0.1;
const mostFrequent = 3;

const small = 0;
const main = 1;

/**
 * S3-FIFO (Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023). Newcomers stand in a small
 * queue; those that were read again there, or that come back soon after they left it, move to the main one, where a cell
 * that was read goes round once more instead of leaving. Reading a cell moves nothing: it counts one number.
 */
export class S3FifoEviction<C extends Cell> implements Eviction<C> {
  readonly #small = new CellList<C>(small);
  readonly #main = new CellList<C>(main);
  readonly #ghosts = new Ghosts();
  readonly #smallEntries: number;
  readonly #smallSize: number;

  constructor({ maxEntries, maxSize }: Limits) {
    this.#smallEntries = Math.max(1, maxEntries * smallShare);
    this.#smallSize = maxSize * smallShare;
  }

  add(cell: C): void {
    cell.frequency = 0;
    if (this.#ghosts.take(cell.key)) this.#main.addFirst(cell);
    else this.#small.addFirst(cell);
  }

  touch(cell: C): void {
    if (cell.frequency < mostFrequent) cell.frequency++;
  }

  /** A cell that was worth keeping when it had to go, because it was written, goes to the main queue when it is back. */
  remove(cell: C): void {
    const list = cell.list === small ? this.#small : this.#main;
    list.remove(cell);
    if (list === this.#main || cell.frequency > 0) this.#ghosts.add(cell.key, this.#count);
  }

  evict(): C | undefined {
    while (this.#small.count > 0) {
      const smallIsOver = this.#small.count >= this.#smallEntries || this.#small.size >= this.#smallSize;
      if (!smallIsOver && this.#main.count > 0) break;
      const cell = this.#evictSmall();
      if (cell !== undefined) return cell;
    }
    return this.#evictMain();
  }

  clear(): void {
    this.#small.clear();
    this.#main.clear();
    this.#ghosts.clear();
  }

  get #count(): number {
    return this.#small.count + this.#main.count;
  }

  /** Takes one cell from the small queue: out, or over to the main one, and then nothing is evicted yet. */
  #evictSmall(): C | undefined {
    const cell = this.#small.removeLast();
    if (cell === undefined) return undefined;
    if (cell.frequency > 1) {
      cell.frequency = 0;
      this.#main.addFirst(cell);
      return undefined;
    }
    this.#ghosts.add(cell.key, this.#count);
    return cell;
  }

  #evictMain(): C | undefined {
    for (let cell = this.#main.removeLast(); cell !== undefined; cell = this.#main.removeLast()) {
      if (cell.frequency === 0) return cell;
      cell.frequency--;
      this.#main.addFirst(cell);
    }
    return undefined;
  }
}
