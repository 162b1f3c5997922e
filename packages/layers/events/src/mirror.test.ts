import type { AnyStorage, ClearOptions, Operation, Storage } from "@stowage/core";
import { ForwardingStorage, scan } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Change } from "./index.ts";
import { events, watch } from "./index.ts";

const runs = process.env["STOWAGE_EFFORT"] === "full" ? 3_000 : 150;

/** Clears one key after the other, as many backends do, and gives up at the first that fails. */
class ClearedByKey extends ForwardingStorage<string> {
  readonly name = "cleared-by-key";
  override async clear(options?: ClearOptions): Promise<void> {
    for await (const { key } of scan(this.below, options)) await this.below.delete(key);
  }
}

/** What is under each key, as somebody knows who only follows the changes, and looks himself where they tell him to. */
class Mirror {
  readonly etags = new Map<string, string | undefined>();
  readonly #below: Storage<string>;
  readonly #changes: AsyncIterator<Change>;
  readonly types = new Set<string>();

  constructor(storage: AnyStorage, below: Storage<string>, buffer: number) {
    this.#below = below;
    this.#changes = watch(storage, { buffer })[Symbol.asyncIterator]();
  }

  /** Takes changes until a marker that the test put last. */
  async follow(last: string): Promise<void> {
    for (;;) {
      const { done, value: change } = (await this.#changes.next()) as IteratorResult<Change, undefined>;
      if (done === true || change.key === last) return;
      await this.#apply(change);
    }
  }

  async #apply(change: Change): Promise<void> {
    this.types.add(change.type);
    const { key, prefix = "" } = change;
    if (change.type === "put") this.etags.set(change.key, change.info?.etag ?? (await this.#below.head(change.key))?.etag);
    else if (change.type === "delete") this.etags.delete(change.key);
    else if (change.type === "unsure" && key !== undefined) await this.#look(key);
    else {
      for (const known of this.etags.keys()) if (known.startsWith(prefix)) this.etags.delete(known);
      if (change.type === "clear") return;
      for await (const found of scan(this.#below, { prefix })) await this.#look(found.key);
    }
  }

  async #look(key: string): Promise<void> {
    const info = await this.#below.head(key);
    if (info === undefined) this.etags.delete(key);
    else this.etags.set(key, info.etag);
  }
}

test("whoever follows the changes of a storage that fails, at any pace, ends with what is stored", async () => {
  const key = fc.constantFrom("a/1", "a/2", "b/1", "c");
  const operation = fc.oneof(
    key.map((name): Operation<string> => ({ type: "put", key: name, value: name })),
    key.map((name): Operation<string> => ({ type: "delete", key: name })),
  );
  const step = fc.oneof(
    { weight: 8, arbitrary: operation },
    { weight: 2, arbitrary: fc.array(operation, { maxLength: 6 }) },
    { weight: 1, arbitrary: fc.constantFrom("", "a/", "b/1").map((prefix) => ({ prefix })) },
  );
  const types = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), fc.integer({ min: 1, max: 8 }), async (steps, seed, buffer) => {
      const below = memoryStorage<string>({ values: "any" });
      const broken = faulty({ seed, rate: 0.2, operations: ["put", "delete", "batch", "clear"] })(below);
      const storage = events()(seed % 2 === 0 ? broken : new ClearedByKey(broken));
      const mirror = new Mirror(storage, below, buffer);
      // Reads in the background, as quickly as the other promises let it.
      const following = mirror.follow("last");
      for (const one of steps) {
        const write = Array.isArray(one)
          ? storage.batch(one)
          : "prefix" in one
            ? storage.clear(one)
            : one.type === "put"
              ? storage.put(one.key, one.value)
              : storage.delete(one.key);
        await write.catch(() => {});
      }
      await new Promise(setImmediate); // lets the reader catch up, so that the last change is not one of those it misses
      while (
        !(await storage.delete("last").then(
          () => true,
          () => false,
        ))
      );
      await following;
      const stored = new Map<string, string | undefined>();
      for await (const info of scan(below, { info: true })) stored.set(info.key, info.etag);
      expect(mirror.etags).toEqual(stored);
      for (const type of mirror.types) types.add(type);
    }),
    { numRuns: runs },
  );
  expect([...types].toSorted()).toEqual(["clear", "delete", "overflow", "put", "unsure"]);
});
