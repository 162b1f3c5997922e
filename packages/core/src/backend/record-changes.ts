/** A record to be kept under a key; without one the entry is removed. */
export interface RecordChange {
  readonly key: string;
  readonly record: Uint8Array | undefined;
  /** Of the record. */
  readonly etag?: string | undefined;
  readonly expiresAt?: number | undefined;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: "*" | undefined;
}

/** Changes of which all are made, or none. */
export type RecordChanges = readonly RecordChange[];

/** What conditions are decided by. */
export type KnownVersion = Pick<RecordChange, "etag" | "expiresAt">;

/** What became of changes: `everyMade`, or the position of the one whose condition did not hold, or why they could not be made. */
export type RecordOutcome = number | Error;

/** All changes of a set were made. */
export const everyMade = -1;

/**
 * The first of some changes whose condition does not hold, or `everyMade`. Each is held against what is there after those
 * before it, so nothing has to be undone.
 */
export function firstRefused(changes: RecordChanges, now: number, current: (key: string) => KnownVersion | undefined): number {
  const before = changes.length > 1 ? new Map<string, KnownVersion | undefined>() : undefined;
  for (let index = 0; index < changes.length; index++) {
    const change = changes[index]!;
    const { key, ifMatch, ifNoneMatch } = change;
    if (ifMatch !== undefined || ifNoneMatch !== undefined) {
      const found = before?.has(key) === true ? before.get(key) : current(key);
      const alive = found !== undefined && !(found.expiresAt !== undefined && found.expiresAt <= now);
      if (ifMatch === undefined ? alive : !alive || found.etag !== ifMatch) return index;
    }
    before?.set(key, change.record === undefined ? undefined : change);
  }
  return everyMade;
}

/** What is kept of a change: nothing where it removes the entry, or where its record has expired already. */
export function keptRecord({ record, expiresAt }: RecordChange, now: number): Uint8Array | undefined {
  return expiresAt !== undefined && expiresAt <= now ? undefined : record;
}
