import { CellList } from "./cell-list.ts";
import type { Cell, Eviction } from "./eviction.ts";

/** The least recently used goes first. */
export class LruEviction<C extends Cell> implements Eviction<C> {
  readonly #cells = new CellList<C>(0);

  add(cell: C): void {
    this.#cells.addFirst(cell);
  }

  touch(cell: C): void {
    this.#cells.moveFirst(cell);
  }

  remove(cell: C): void {
    this.#cells.remove(cell);
  }

  evict(): C | undefined {
    return this.#cells.removeLast();
  }

  clear(): void {
    this.#cells.clear();
  }
}
