import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { AnyStorage, ByteStorage, Droppable, EntryInfo, ErrorCode } from "@stowage/core";
import { isByteStorage, StorageError } from "@stowage/core";

/** How an entry of the source stands in the target; `undefined` where the source has none. */
export interface Comparison {
  readonly state: "same" | "different" | "absent";
  /** The version of the source that was looked at. */
  readonly version: string | undefined;
}

/** Values known to be smaller are compared as a whole, the others by the digests of two streams. */
const streamFrom = 256 * 1024;

/** Compares value, metadata and expiry under a key, without what is lost on purpose. */
export async function compareEntry(
  from: AnyStorage,
  to: AnyStorage,
  { key, size }: EntryInfo,
  losses: readonly Droppable[],
  signal: AbortSignal | undefined,
): Promise<Comparison | undefined> {
  const streams = [from, to].every((storage) => isByteStorage(storage) && storage.capabilities.streams !== "none");
  const streamed = streams && (size ?? streamFrom) >= streamFrom;
  const source = await contentOf(from, key, streamed, signal);
  if (source === undefined) return undefined;
  const version = source.info.etag;
  const target = await readable(() => contentOf(to, key, streamed, signal));
  if (target === undefined) return { state: "absent", version };
  return { state: target !== "unreadable" && isSame(source, target, losses) ? "same" : "different", version };
}

/** What is stored there cannot be read through the target, so it is something else than what the source has. */
export async function readable<T>(read: () => Promise<T>): Promise<T | "unreadable"> {
  try {
    return await read();
  } catch (error) {
    if (isUnreadable(error)) return "unreadable";
    throw error;
  }
}

export const isUnreadable = (error: unknown): error is StorageError => StorageError.is(error) && unreadable.has(error.code);

const unreadable: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["corrupt", "tampered", "wrong-key", "unknown-key"]);

interface Content {
  readonly info: EntryInfo;
  /** The value itself, or the digest of a stream. */
  readonly value: unknown;
}

async function contentOf(
  storage: AnyStorage,
  key: string,
  streamed: boolean,
  signal: AbortSignal | undefined,
): Promise<Content | undefined> {
  if (!streamed) {
    const entry = await storage.getEntry(key, { signal });
    return entry && { info: entry, value: entry.value as unknown };
  }
  const entry = await (storage as ByteStorage).read(key, { signal });
  if (entry === undefined) return undefined;
  const digest = createHash("sha256");
  for await (const chunk of entry.value) digest.update(chunk);
  return { info: entry, value: digest.digest("hex") };
}

function isSame(source: Content, target: Content, losses: readonly Droppable[]): boolean {
  return (
    isDeepStrictEqual(source.value, target.value) &&
    (losses.includes("metadata") || isDeepStrictEqual({ ...source.info.metadata }, { ...target.info.metadata })) &&
    (losses.includes("expiry") || source.info.expiresAt === target.info.expiresAt)
  );
}
