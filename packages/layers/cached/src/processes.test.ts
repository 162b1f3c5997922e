import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Invalidation } from "./bus.ts";
import { CacheProcess } from "./processes/process.ts";

const full = process.env["STOWAGE_EFFORT"] === "full";
const ttl = 60_000;

/** Two processes over one folder. What they say on the bus waits until it is relayed. */
async function withTwo(work: (one: CacheProcess, two: CacheProcess, said: Invalidation[]) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "stowage-cached-"));
  const said: Invalidation[] = [];
  const [one, two] = [new CacheProcess(directory, ttl, (message) => said.push(message)), new CacheProcess(directory, ttl, () => {})];
  try {
    await work(one, two, said);
  } finally {
    await Promise.all([one.end(), two.end()]);
    await rm(directory, { recursive: true });
  }
}

test("two processes: nothing that was overwritten, deleted or cleared is served once the message about it was received", () =>
  withTwo(async (one, two, said) => {
    const get = (key: string): Promise<unknown> => two.tell({ kind: "get", key });
    const relay = (): void => said.splice(0).forEach((message) => two.deliver(message));
    await one.tell({ kind: "put", key: "a", value: "first" });
    relay();
    expect([await get("a"), await get("a")]).toEqual(["first", "first"]);
    expect(await two.tell({ kind: "hits" })).toBe(1);

    await one.tell({ kind: "put", key: "a", value: "second" });
    expect(await get("a")).toBe("first"); // it cannot know yet
    relay();
    expect(await get("a")).toBe("second");

    await one.tell({ kind: "delete", key: "a" });
    relay();
    expect(await get("a")).toBeUndefined();

    await one.tell({ kind: "put", key: "b/1", value: "third" });
    relay();
    expect(await get("b/1")).toBe("third");
    await one.tell({ kind: "clear", key: "b/" });
    relay();
    expect(await get("b/1")).toBeUndefined();
  }));

test(
  "two processes: what is read while another one writes is never older than the last message that was received",
  { timeout: 120_000 },
  () =>
    withTwo(async (one, two, said) => {
      const writes = full ? 2_000 : 150;
      const reads: Promise<void>[] = [];
      let received = 0;
      const read = (): void => {
        const least = received;
        reads.push(two.tell({ kind: "get", key: "key" }).then((value) => expect(Number(value ?? 0)).toBeGreaterThanOrEqual(least)));
      };
      for (let number = 1; number <= writes; number++) {
        const put = one.tell({ kind: "put", key: "key", value: String(number) });
        read(); // while the put is under way
        await put;
        read(); // after it, unheard
        if (number % 3 === 0) continue; // the message comes later, with the next one
        for (const message of said.splice(0)) two.deliver(message);
        received = number;
        read();
        if (number % 10 === 1) await reads.at(-1); // it may be far behind: now it has caught up, and the next read is a hit
        read();
      }
      await Promise.all(reads);
      expect(Number(await two.tell({ kind: "hits" }))).toBeGreaterThan(0);
    }),
);

test("two processes: a lost message is made up for when ttl is over", () =>
  withTwo(async (one, two) => {
    const get = (): Promise<unknown> => two.tell({ kind: "get", key: "key" });
    await one.tell({ kind: "put", key: "key", value: "old" });
    expect(await get()).toBe("old");
    await one.tell({ kind: "put", key: "key", value: "new" }); // never relayed
    await two.tell({ kind: "advance", duration: ttl - 1 });
    expect(await get()).toBe("old");
    await two.tell({ kind: "advance", duration: 1 });
    expect(await get()).toBe("new");
  }));
