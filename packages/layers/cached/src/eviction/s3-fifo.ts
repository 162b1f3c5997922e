import { CellList, mostMoves } from "./cell-list.ts";
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
 * that was read goes round once more instead of leaving. Reading a cell moves nothing: it counts one number. Where many
 * were read, the search ends with the oldest, read or not.
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

  /** A cell that was worth keeping when it had to go, mostly because it was written, goes to the main queue when it is back. */
  remove(cell: C): void {
    const list = cell.list === small ? this.#small : this.#main;
    list.remove(cell);
    if (list === this.#main || cell.frequency > 0) this.#ghosts.add(cell.key, this.#count);
  }

  evict(): C | undefined {
    for (let moves = 0; moves < mostMoves && this.#count > 0; moves++) {
      const cell = this.#isSmallNext() ? this.#evictSmall() : this.#evictMain();
      if (cell !== undefined) return cell;
    }
    const oldest = this.#main.last;
    if (oldest !== undefined) this.remove(oldest);
    return oldest;
  }

  clear(): void {
    this.#small.clear();
    this.#main.clear();
    this.#ghosts.clear();
  }

  get #count(): number {
    return this.#small.count + this.#main.count;
  }

  #isSmallNext(): boolean {
    if (this.#small.count === 0 || this.#main.count === 0) return this.#main.count === 0;
    return this.#small.count >= this.#smallEntries || this.#small.size >= this.#smallSize;
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

  /** Takes one cell from the main queue: out, or round once more, and then nothing is evicted yet. */
  #evictMain(): C | undefined {
    const cell = this.#main.removeLast();
    if (cell === undefined || cell.frequency === 0) return cell;
    cell.frequency--;
    this.#main.addFirst(cell);
    return undefined;
  }
}
