/** Limits of a storage file. They bound the time and the memory that any text can cost. */
export const limits = {
  /** Bytes. */
  size: 65_536,
  /** Levels of nesting. */
  depth: 32,
  /** Values of any kind. */
  nodes: 5_000,
  storages: 256,
  /** In one storage. */
  layers: 32,
  /** Storages that stand on one another by `use`. */
  uses: 8,
} as const;
