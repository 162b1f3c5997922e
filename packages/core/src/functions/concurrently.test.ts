import { expect, test } from "vitest";
import { settled } from "../../test/map-storage.ts";
import { forEachConcurrently } from "./concurrently.ts";

/** Work that ends when it is told to. */
class Work {
  readonly started: number[] = [];
  most = 0;
  #running = 0;
  readonly #ends = new Map<number, (error?: Error) => void>();

  readonly run = (item: number): Promise<void> => {
    this.started.push(item);
    this.most = Math.max(this.most, ++this.#running);
    return new Promise((resolve, reject) => {
      this.#ends.set(item, (error) => {
        this.#running--;
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  };

  async end(item: number, error?: Error): Promise<void> {
    this.#ends.get(item)?.(error);
    await settled();
  }
}

test("no more than the limit runs at once, and the next begins when one ends", async () => {
  const work = new Work();
  const all = forEachConcurrently([1, 2, 3, 4], 2, work.run);
  await settled();
  expect(work.started).toEqual([1, 2]);
  await work.end(2);
  expect(work.started).toEqual([1, 2, 3]);
  await work.end(1);
  await work.end(3);
  await work.end(4);
  await all;
  expect([work.started, work.most]).toEqual([[1, 2, 3, 4], 2]);
});

test("after a failure nothing more starts, and what runs is waited for", async () => {
  const work = new Work();
  let ended = false;
  const all = forEachConcurrently([1, 2, 3, 4], 2, work.run).finally(() => (ended = true));
  const failed = expect(all).rejects.toThrow("one");
  await settled();
  await work.end(1, new Error("one"));
  expect([work.started, ended]).toEqual([[1, 2], false]);
  await work.end(2, new Error("two"));
  await failed;
  expect(work.started).toEqual([1, 2]);
});

test("items that cannot be given end it after what runs", async () => {
  const work = new Work();
  const items = (async function* () {
    yield 1;
    throw new Error("list failed");
  })();
  let ended = false;
  const failed = expect(forEachConcurrently(items, 2, work.run).finally(() => (ended = true))).rejects.toThrow("list failed");
  await settled();
  expect(ended).toBe(false);
  await work.end(1);
  await failed;
});

test("no items are nothing to do", async () => {
  await forEachConcurrently([], 2, () => Promise.reject(new Error("never")));
});
