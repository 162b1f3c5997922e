import type { Clock } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { describe, expect, test } from "vitest";
import type { Load, MakeCache, ReadThrough } from "../harness/caches.ts";
import { loadingPeers, ours } from "../harness/caches.ts";

const entries = 1_000;

/** What a cache has of a key after a slow load that began before somebody changed the key, or `"loaded again"`. */
async function afterSlowLoad(make: MakeCache, change: (cache: ReadThrough<string>) => Promise<unknown>): Promise<string | undefined> {
  let answer = (_value: string): void => {};
  let loads = 0;
  const load: Load<string> = () => (loads++ === 0 ? new Promise((resolve) => (answer = resolve)) : Promise.resolve("loaded again"));
  const cache = make(load, { entries });
  const slow = cache.get("key");
  await turns();
  expect(loads).toBe(1);
  await change(cache);
  answer("old"); // it was read below before the change, and comes late
  await slow;
  await turns();
  return await cache.get("key");
}

/** Loads for 1,000 concurrent misses of one key, and what became of those who missed. */
async function stampede(make: MakeCache, load: Load<string>): Promise<{ loads: number; outcomes: string[] }> {
  let loads = 0;
  const cache = make<string>(
    (key) => {
      loads++;
      return load(key);
    },
    { entries },
  );
  const missed = Array.from({ length: 1_000 }, () => cache.get("key"));
  const settled = await Promise.allSettled(missed);
  const outcomes = new Set(settled.map((result) => (result.status === "fulfilled" ? String(result.value) : "rejected")));
  return { loads, outcomes: [...outcomes] };
}

/** Until all has run that waits for nothing. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock on which time passes as soon as nothing else goes on. */
function hurryingClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    async sleep(duration) {
      await turns();
      now += duration;
    },
  };
}

describe("a load that is slow, and meanwhile the key is set or deleted", () => {
  const set = (cache: ReadThrough<string>): Promise<unknown> => cache.put("key", "new");
  const remove = (cache: ReadThrough<string>): Promise<unknown> => cache.delete("key");

  test("cached holds the new value, and nothing after a delete", async () => {
    expect(await afterSlowLoad(ours(), set)).toBe("new");
    expect(await afterSlowLoad(ours(), remove)).toBe("loaded again");
  });

  // Facts about others, of the versions in package.json. One that fails tells that the peer has got better: mend the documents.
  test.each(Object.entries(loadingPeers))("%s holds the old value in both", async (_, make) => {
    expect(await afterSlowLoad(make, set)).toBe("old");
    expect(await afterSlowLoad(make, remove)).toBe("old");
  });
});

describe("1,000 concurrent misses of one key", () => {
  const succeeds: Load<string> = async () => "value";
  const fails: Load<string> = async () => {
    throw new Error("down");
  };

  const hangs: Load<string> = () => new Promise(() => {});

  test("are one load of cached, for success, failure and hang alike", async () => {
    expect(await stampede(ours(), succeeds)).toEqual({ loads: 1, outcomes: ["value"] });
    expect(await stampede(ours(), fails)).toEqual({ loads: 1, outcomes: ["rejected"] });
    expect(await stampede(ours({ clock: hurryingClock() }), hangs)).toEqual({ loads: 1, outcomes: ["rejected"] });
  });

  test("are told why: with timeout where the load hangs", async () => {
    const cache = ours({ clock: hurryingClock() })<string>(hangs, { entries });
    const error: unknown = await cache.get("key").catch((reason: unknown) => reason);
    expect(StorageError.is(error, "timeout")).toBe(true);
  });

  test("are one load of each peer where it succeeds, and 1,000 of bentocache where it fails", async () => {
    const loads = async (load: Load<string>): Promise<Record<string, unknown>> =>
      Object.fromEntries(
        await Promise.all(Object.entries(loadingPeers).map(async ([name, make]) => [name, (await stampede(make, load)).loads])),
      );
    expect(await loads(succeeds)).toEqual({ "cacheable getOrSet": 1, "cache-manager wrap": 1, "bentocache getOrSet": 1 });
    expect(await loads(fails)).toEqual({ "cacheable getOrSet": 1, "cache-manager wrap": 1, "bentocache getOrSet": 1_000 });
  });
});
