import { LruEviction } from "./lru.ts";
import { S3FifoEviction } from "./s3-fifo.ts";
import { TinyLfuEviction } from "./w-tinylfu.ts";

/** Something in a cache, as far as eviction is concerned: a link of the lists that eviction keeps. */
export interface Cell {
  readonly key: string;
  /** Bytes, or whatever `maxSize` counts. */
  readonly size: number;
  previous: Cell | undefined;
  next: Cell | undefined;
  /** The list it is in; which one that is only the policy knows. */
  list: number;
  /** How often it was touched lately; what that means only the policy knows. */
  frequency: number;
}

/** What a cache may hold; both at once. */
export interface Limits {
  readonly maxEntries: number;
  readonly maxSize: number;
}

/** Who has to go. No step but `clear` looks at more than a few cells, however much is cached. */
export interface Eviction<C extends Cell> {
  /** Takes a cell in. */
  add(cell: C): void;
  /** The cell was read. */
  touch(cell: C): void;
  /** The cell is gone for another reason. */
  remove(cell: C): void;
  /** Takes out the cell that is worth least; `undefined` where there is none. */
  evict(): C | undefined;
  clear(): void;
}

export type EvictionName = "s3-fifo" | "w-tinylfu" | "lru";

export function makeEviction<C extends Cell>(name: EvictionName, limits: Limits): Eviction<C> {
  switch (name) {
    case "s3-fifo":
      return new S3FifoEviction<C>(limits);
    case "w-tinylfu":
      return new TinyLfuEviction<C>(limits);
    case "lru":
      return new LruEviction<C>();
  }
}
