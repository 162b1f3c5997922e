import type { AnyStorage, Bytes, ByteStorage } from "@stowage/core";
import { scan } from "@stowage/core";
import type { Mock, VirtualClock } from "@stowage/testing";
import { mockStorage } from "@stowage/testing";
import { composite } from "../index.ts";
import type { CompositeOptions, CompositeStorage } from "../index.ts";

/** A composite of mocks, whose calls can be scripted. */
export interface Setup {
  readonly storage: CompositeStorage;
  readonly mocks: readonly (Mock<Bytes> & ByteStorage)[];
}

export function setup(clock: VirtualClock, count: number, options: Omit<CompositeOptions, "replicas"> = {}): Setup {
  const mocks = Array.from({ length: count }, () => mockStorage({ clock }));
  return { storage: over(mocks, clock, options), mocks };
}

/** One more writer over the same replicas. */
export function over(
  replicas: readonly ByteStorage[],
  clock: VirtualClock,
  options: Omit<CompositeOptions, "replicas"> = {},
): CompositeStorage {
  const named = replicas.map((storage, index) => ({ name: `r${index}`, storage }));
  return composite({ clock, ...options, replicas: named }) as CompositeStorage;
}

export const bytes = (text: string): Bytes => new TextEncoder().encode(text);

export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);

/** What a replica has under a key, as text. */
export async function kept(storage: ByteStorage, key: string): Promise<string | undefined> {
  return text(await storage.get(key));
}

/** All keys of a replica, and how many of them are tombstones. */
export async function keysIn(storage: AnyStorage): Promise<{ readonly keys: string[]; readonly tombstones: number }> {
  const all: string[] = [];
  for await (const { key } of scan(storage)) all.push(key);
  const keys = all.filter((key) => !key.startsWith("stowage-deleted/"));
  return { keys, tombstones: all.length - keys.length };
}

/** Waits for a call, and moves the clock where nothing else goes on. */
export async function drive<T>(promise: Promise<T>, clock: VirtualClock): Promise<T> {
  const state = { settled: false };
  const settle = (): void => {
    state.settled = true;
  };
  promise.then(settle, settle);
  for (let turn = 0; !state.settled && turn < 10_000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!state.settled && turn > 5) await clock.next();
  }
  return await promise;
}
