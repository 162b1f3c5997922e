import type { AnyStorage, ByteStorage, Capabilities } from "@stowage/core";
import { isByteStorage, StorageError } from "@stowage/core";

const streams = ["none", "buffered", "native"] as const;

/** What the layer can do: what the storage below can, less what needs an answer from there. */
export function capabilitiesOf(below: AnyStorage, journal: ByteStorage | undefined): Capabilities {
  const { ttl, metadata, list, anyKey, streams: belowStreams } = below.capabilities;
  const journalStreams = journal?.capabilities.streams ?? "buffered"; // without a journal, whole values wait in memory
  return {
    ttl,
    metadata,
    conditions: [],
    list,
    atomicBatch: false,
    anyKey,
    streams: streams[Math.min(streams.indexOf(belowStreams), streams.indexOf(journalStreams))]!,
    durability: journal?.capabilities.durability ?? "memory",
    shared: false,
  };
}

export function checkStack(below: AnyStorage, journal: AnyStorage | undefined): void {
  const refuse = (message: string): never => {
    throw new StorageError("invalid-option", message, { storage: "behind" });
  };
  if (!isByteStorage(below)) refuse("behind works on bytes: put it below the codec.");
  if (journal === below) refuse("behind: the journal must be another storage than the one below.");
}

/** Whether every storage takes a key. */
export function isPlainKey(key: string): boolean {
  return key.length <= 200 && /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[a-z0-9/._-]+$/.test(key);
}
