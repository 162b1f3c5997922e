import type { AnyStorage, Bytes, ByteStorage, CallOptions, Clock, DeleteOptions, EntryInfo, PutOptions } from "@stowage/core";
import { ForwardingStorage, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { describe, expect, test } from "vitest";
import { faulty } from "../faulty.ts";
import { checkLinearizable, describeLinearizable } from "./describe-linearizable.ts";

/** A storage in memory whose answers are late, so that calls overlap. */
const late = (clock: Clock, seed: number): ByteStorage =>
  stack(memoryStorage({ clock }), faulty({ seed, clock, kinds: ["delays"], rate: 0.7 }));

describeLinearizable("memoryStorage", { create: ({ clock }) => memoryStorage({ clock }) });

describeLinearizable("memoryStorage of values", {
  create: ({ clock, seed }) =>
    stack(memoryStorage<unknown>({ values: "any", clock }), faulty({ seed, clock, kinds: ["delays"], rate: 0.7 })),
});

describeLinearizable("memoryStorage whose answers are late", { create: ({ clock, seed }) => late(clock, seed) });

describeLinearizable("memoryStorage that fails and is late", {
  create: ({ clock, seed }) =>
    stack(
      memoryStorage({ clock }),
      faulty({ seed, clock, kinds: ["fails", "loses", "breaks"], rate: 0.2 }),
      faulty({ seed, clock, kinds: ["delays"], rate: 0.5 }),
    ),
});

abstract class Broken extends ForwardingStorage<Bytes> {
  readonly name = "broken";
}

/** Keeps what a read brought, although a write came in between. */
class FillsItsCacheWithWhatIsOld extends Broken {
  readonly #cache = new Map<string, Bytes>();
  override async get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached.slice();
    const value = await super.get(key, options);
    if (value !== undefined) this.#cache.set(key, value.slice());
    return value;
  }
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    this.#cache.delete(key);
    return super.put(key, value, options);
  }
  override delete(key: string, options?: DeleteOptions): Promise<void> {
    this.#cache.delete(key);
    return super.delete(key, options);
  }
}

class ChecksThenWrites extends Broken {
  override async put(key: string, value: Bytes, { ifMatch, ifNoneMatch, ...options }: PutOptions = {}): Promise<EntryInfo> {
    const there = await super.head(key);
    const holds = ifNoneMatch === undefined ? ifMatch === undefined || there?.etag === ifMatch : there === undefined;
    if (!holds) throw new StorageError("precondition-failed", "It is another version.");
    return await super.put(key, value, options);
  }
}

class AnswersBeforeItWrites extends Broken {
  override async delete(key: string, options?: DeleteOptions): Promise<void> {
    const deleting = super.delete(key, options);
    if (options?.ifMatch !== undefined) return await deleting;
    deleting.catch(() => {});
    await Promise.resolve();
  }
}

class WritesInTwoParts extends Broken {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    if (options?.ifMatch !== undefined || options?.ifNoneMatch !== undefined) return await super.put(key, value, options);
    await super.put(key, value.slice(0, value.byteLength / 2), options);
    return await super.put(key, value, options);
  }
}

const broken = [FillsItsCacheWithWhatIsOld, ChecksThenWrites, AnswersBeforeItWrites, WritesInTwoParts];

describe("the check of concurrent histories", () => {
  test.each(broken.map((Layer) => [Layer.name, Layer] as const))("finds that a storage %s", async (_, Layer) => {
    const create = ({ clock, seed }: { readonly clock: Clock; readonly seed: number }): AnyStorage => new Layer(late(clock, seed));
    await expect(checkLinearizable({ create, runs: 500 })).rejects.toThrow(
      /With the seed \d+(, no order of these calls|: A client read .* which nobody wrote)/,
    );
  });

  test("shows the calls that contradict each other", async () => {
    const create = ({ clock, seed }: { readonly clock: Clock; readonly seed: number }): AnyStorage =>
      new AnswersBeforeItWrites(late(clock, seed));
    await expect(checkLinearizable({ create, runs: 500 })).rejects.toThrow(
      /no order of these calls on "[ab]" explains the last answer:\n( {2}client \d from \d+ (to \d+|on, outcome unknown): .+\n?)+$/,
    );
  });
});
