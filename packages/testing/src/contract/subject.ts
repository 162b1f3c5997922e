import assert from "node:assert/strict";
import type { AnyStorage, ByteStorage, Clock, Storage } from "@stowage/core";
import { isByteStorage } from "@stowage/core";
import { VirtualClock } from "../virtual-clock.ts";
import type { ContractContext } from "./promise.ts";
import { copyOf, sampleBytes, text } from "./samples.ts";

/** What proves the contract of a storage: how to make one, and what to put into it. */
export interface StorageSubject {
  /** Makes a fresh, empty storage for one promise. */
  readonly create: (context: CreateContext) => AnyStorage | CreatedStorage | Promise<AnyStorage | CreatedStorage>;
  /** At least two different samples of the value type. @default bytes */
  readonly values?: readonly unknown[] | undefined;
}

export interface CreateContext {
  /** Stands still until a promise moves it. Hand it to the storage. */
  readonly clock: VirtualClock;
}

/** A storage with what the suite cannot know about it. */
export interface CreatedStorage {
  readonly storage: AnyStorage;
  /**
   * One more storage over the same data. Needed where `capabilities.durability` is not `"memory"` or `shared` is true.
   * Called after the first one was closed; where `shared` is true, also while it is open.
   */
  readonly reopen?: (() => AnyStorage | Promise<AnyStorage>) | undefined;
  /** The time by which entries expire, where it is not the virtual clock. @default the virtual clock */
  readonly time?: ServerTime | undefined;
  /** Runs after the promise, kept or broken, when the storages are closed. */
  readonly cleanup?: (() => void | Promise<void>) | undefined;
}

/** The time of a server that expires entries by itself. */
export interface ServerTime extends Pick<Clock, "now"> {
  /** Moves the time, or waits for it to pass. */
  advance(duration: number): Promise<void>;
}

/** A fresh storage for one promise, and the way to get rid of it. */
export interface Prepared {
  readonly context: ContractContext;
  readonly dispose: () => Promise<void>;
}

/** Makes a storage and all that a promise works with. */
export async function prepare({ create, values = sampleBytes }: StorageSubject, patience: number): Promise<Prepared> {
  assert.ok(values.length >= 2, "The contract needs at least two sample values.");
  const clock = new VirtualClock();
  const created = await create({ clock });
  const { storage, reopen, time, cleanup } = isStorage(created) ? { storage: created } : created;
  const opened: Storage<unknown>[] = [storage];
  const context: ContractContext = {
    storage,
    get bytes(): ByteStorage {
      assert.ok(isByteStorage(storage), "This promise needs a storage of bytes.");
      return storage;
    },
    capabilities: storage.capabilities,
    isBackend: storage.inner.length === 0,
    patience,
    value: (index) => sample(values, index, isByteStorage(storage)),
    now: () => (time ?? clock).now(),
    advance: (duration) => (time ?? clock).advance(duration),
    advanceWithin: async (duration) => {
      const part = time === undefined ? duration - 1 : duration / 2;
      await (time ?? clock).advance(part);
      return duration - part;
    },
    reopen: async () => {
      assert.ok(
        reopen !== undefined,
        'create must give { storage, reopen }, because "capabilities" says that the data outlives the storage.',
      );
      const another: Storage<unknown> = await reopen();
      opened.push(another);
      return another;
    },
  };
  return {
    context,
    dispose: async () => {
      await Promise.allSettled(opened.map((each) => each.close()));
      await cleanup?.();
    },
  };
}

/** Bytes go on for ever; other samples repeat. */
function sample(values: readonly unknown[], index: number, bytes: boolean): unknown {
  return bytes && index >= values.length ? text(`sample number ${index}`) : copyOf(values[index % values.length]);
}

function isStorage(created: AnyStorage | CreatedStorage): created is AnyStorage {
  return !("storage" in created);
}
