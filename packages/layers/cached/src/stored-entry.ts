import type { Entry, EntryInfo, Metadata } from "@stowage/core";

/** The name in the metadata of a store under which the cache keeps what the storage below says of an entry. */
const label = "stowage-cached";

/** An entry from the store as the storage below gave it, and when that was in milliseconds since the epoch. */
export interface StoredEntry<V> {
  readonly entry: Entry<V>;
  readonly loadedAt: number;
}

/** Metadata that keeps what is known of an entry, its own metadata and etag included: the store has others. */
export function labelFor({ size, etag, modifiedAt, expiresAt, metadata }: EntryInfo, loadedAt: number): Metadata {
  return { [label]: JSON.stringify({ loadedAt, size, etag, modifiedAt, expiresAt, metadata }) };
}

/** The entry that was stored with such a label; `undefined` where there is none, or one that makes no sense. */
export function readStored<V>(key: string, stored: Entry<V>): StoredEntry<V> | undefined {
  const info = parse(stored.metadata?.[label]);
  if (info === undefined || typeof info["loadedAt"] !== "number") return undefined;
  const { size, etag, modifiedAt, expiresAt, metadata } = info;
  const sound = [size, modifiedAt, expiresAt].every(isNumber) && (etag === undefined || typeof etag === "string") && isMetadata(metadata);
  if (!sound) return undefined;
  const entry = {
    key,
    ...(size !== undefined && { size }),
    ...(etag !== undefined && { etag }),
    ...(modifiedAt !== undefined && { modifiedAt }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(metadata !== undefined && { metadata }),
    value: stored.value,
  };
  return { entry: entry as Entry<V>, loadedAt: info["loadedAt"] };
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return isGroup(parsed) ? parsed : undefined;
  } catch {
    return undefined; // not written by a cache
  }
}

const isGroup = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;
const isNumber = (value: unknown): boolean => value === undefined || typeof value === "number";
const isMetadata = (value: unknown): boolean =>
  value === undefined || (isGroup(value) && Object.values(value).every((text) => typeof text === "string"));
