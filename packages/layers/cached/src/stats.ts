/** What a cache has done since it was made, and what it holds now. */
export interface CacheStats {
  /** Reads that memory answered with what is fresh. */
  readonly hits: number;
  readonly misses: number;
  /** Hits among hits and misses; 0 before the first. */
  readonly hitRatio: number;
  /** Loads, from the store or from below; concurrent misses of one key share one. */
  readonly loads: number;
  readonly evictions: number;
  /** Entries that are in memory now. */
  readonly entries: number;
  /** Bytes that they take, as `sizeOf` counts them. */
  readonly bytes: number;
  /** Old values that were served, while a new one was loaded or because it could not be. */
  readonly staleServed: number;
  /** Writes, clears included, that are under way now. */
  readonly pendingWrites: number;
  /** Loads that the store answered. */
  readonly storeHits: number;
  /** Calls of the store that failed. A read is then answered from below. */
  readonly storeFailures: number;
  /** Messages of other caches that were heard on the bus. */
  readonly invalidations: number;
  /** Messages that could not be sent or understood. */
  readonly busFailures: number;
}
