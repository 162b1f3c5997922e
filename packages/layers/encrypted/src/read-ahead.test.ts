import type { Bytes, Entry, ReadOptions } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { encrypted } from "./index.ts";
import { bytesOf, first, mebibyte, same, Streaming } from "./testing/set-up.ts";

const value = bytesOf(4 * mebibyte);
const storedChunk = mebibyte + 16;

/** A storage that counts the bytes it was asked for, and never answers behind some of them. */
class Stuck extends Streaming {
  given = 0;
  cancelled: unknown;
  readonly #enough: number;

  constructor(enough: number) {
    super(memoryStorage());
    this.#enough = enough;
  }

  override async read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const entry = await super.read(key, options);
    if (entry === undefined) return undefined;
    const reader = entry.value.getReader();
    const stream = new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          if (this.given >= this.#enough) return await new Promise<never>(() => {});
          const { done, value: chunk } = await reader.read();
          if (done) return controller.close();
          this.given += chunk.byteLength;
          controller.enqueue(chunk);
        },
        cancel: async (reason) => {
          this.cancelled = reason;
          await reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
    return { ...entry, value: stream };
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("while a chunk is in use, the next one is read, and no more than that", async () => {
  const below = new Stuck(Number.POSITIVE_INFINITY);
  const storage = encrypted({ keys: [first] })(below);
  await storage.put("a", value);
  const reader = (await storage.read("a"))!.value.getReader();
  const chunk = await reader.read();
  expect(same(chunk.value, value.subarray(0, mebibyte))).toBe(true);
  for (let count = 0; count < 200; count++) await turn();
  expect(below.given).toBeGreaterThanOrEqual(2 * storedChunk);
  expect(below.given).toBeLessThan(3 * storedChunk);
  await reader.cancel();
});

for (const stop of ["cancelled", "aborted"] as const) {
  test(`a stream that is ${stop} while the next chunk hangs ends, and lets go of what is below`, async () => {
    const below = new Stuck(storedChunk + 100_000);
    const storage = encrypted({ keys: [first] })(below);
    await storage.put("a", value);
    const aborting = new AbortController();
    const reader = (await storage.read("a", { signal: aborting.signal }))!.value.getReader();
    await reader.read();
    await turn();
    const reason = new Error("enough");
    const pending = reader.read();
    pending.catch(() => {});
    if (stop === "cancelled") {
      await reader.cancel(reason);
      expect(await pending).toMatchObject({ done: true });
    } else {
      aborting.abort(reason);
      await expect(pending).rejects.toBe(reason);
    }
    expect(below.cancelled).toBe(reason);
    await storage.close();
  });
}
