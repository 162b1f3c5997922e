import type { Cell } from "./eviction.ts";

/** Cells that one step may move to another place: enough for nearly all, and few where thousands were read since. */
export const mostMoves = 64;

/** Cells in a row, linked through themselves. */
export class CellList<C extends Cell> {
  readonly #mark: number;
  count = 0;
  size = 0;
  #first: C | undefined;
  #last: C | undefined;

  /** @param mark what `cell.list` says while a cell is in here */
  constructor(mark: number) {
    this.#mark = mark;
  }

  get last(): C | undefined {
    return this.#last;
  }

  addFirst(cell: C): void {
    cell.list = this.#mark;
    cell.previous = undefined;
    cell.next = this.#first;
    if (this.#first === undefined) this.#last = cell;
    else this.#first.previous = cell;
    this.#first = cell;
    this.count++;
    this.size += cell.size;
  }

  remove(cell: C): void {
    const { previous, next } = cell;
    if (previous === undefined) this.#first = next as C | undefined;
    else previous.next = next;
    if (next === undefined) this.#last = previous as C | undefined;
    else next.previous = previous;
    cell.previous = cell.next = undefined;
    this.count--;
    this.size -= cell.size;
  }

  moveFirst(cell: C): void {
    if (this.#first === cell) return;
    this.remove(cell);
    this.addFirst(cell);
  }

  removeLast(): C | undefined {
    const cell = this.#last;
    if (cell !== undefined) this.remove(cell);
    return cell;
  }

  clear(): void {
    this.#first = this.#last = undefined;
    this.count = this.size = 0;
  }
}
