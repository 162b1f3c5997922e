import type { Bytes, Clock, EntryInfo, Metadata } from "@stowage/core";
import { isExpired } from "@stowage/core";

/** What a caller wants written. */
export interface Draft {
  readonly type: "put" | "delete";
  readonly key: string;
  /** Milliseconds since the epoch when it was accepted. */
  readonly modifiedAt: number;
  readonly expiresAt: number | undefined;
  readonly metadata: Metadata | undefined;
}

/** A write with its place in the order of all writes. What it is worth knowing of a stream is known when that has ended. */
export interface Write extends Draft {
  /** Later writes have higher ones. */
  readonly sequence: number;
  /** Bytes of the value; 0 for a delete. */
  size: number;
  /** `undefined` where the value is to be read from the journal. */
  value: Bytes | undefined;
  /** Where the value begins in its record, and the checksum of what is before it. */
  start: number;
  before: number;
  /** The checksum up to the end of the value. */
  checksum: number;
  /** It was not accepted, and its record may be there all the same. */
  isDoubtful?: true;
  /** Its record was told to go, and may be gone although nobody has said so. */
  isLeaving?: true;
}

/** Whether readers see an entry: a put that has not expired. */
export function isLiving(write: Write, clock: Clock): boolean {
  return write.type === "put" && !isExpired(write.expiresAt, clock);
}

/** What is known of an entry before it has arrived below. */
export function infoOf({ key, size, modifiedAt, expiresAt, metadata }: Draft & { readonly size: number }): EntryInfo {
  return {
    key,
    size,
    modifiedAt,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(metadata !== undefined && { metadata: { ...metadata } }),
  };
}

/** An entry of the storage below without its etag: one that was pending would get it later, although nobody wrote it then. */
export function withoutEtag<T extends EntryInfo>(info: T | undefined): T | undefined {
  if (info?.etag === undefined) return info;
  const { etag: _etag, ...rest } = info;
  return rest as unknown as T;
}
