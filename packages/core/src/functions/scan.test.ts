import { expect, test } from "vitest";
import { MapStorage } from "../../test/map-storage.ts";
import { scan } from "./scan.ts";

async function filled(): Promise<MapStorage<number>> {
  const storage = new MapStorage<number>();
  for (const key of ["a/1", "a/2", "a/3", "b/1", "b/2"]) await storage.put(key, 1);
  storage.calls.length = 0;
  return storage;
}

async function keysOf(entries: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of entries) keys.push(key);
  return keys;
}

test("a scan gives every entry, page by page", async () => {
  const storage = await filled();
  expect(await keysOf(scan(storage, { limit: 2 }))).toEqual(["a/1", "a/2", "a/3", "b/1", "b/2"]);
  expect(storage.calls).toEqual(["list", "list", "list"]);
});

test("a scan keeps to its prefix, its start and its cursor", async () => {
  const storage = await filled();
  expect(await keysOf(scan(storage, { prefix: "a/", startAfter: "a/1", limit: 1 }))).toEqual(["a/2", "a/3"]);
  const { cursor } = await storage.list({ limit: 3 });
  expect(await keysOf(scan(storage, { cursor }))).toEqual(["b/1", "b/2"]);
});

test("a page that is empty and has a cursor is not the end", async () => {
  const storage = await filled();
  const list = storage.list.bind(storage);
  let first = true;
  storage.list = async (options) => {
    if (!first) return await list({ ...options, cursor: undefined });
    first = false;
    return { entries: [], prefixes: [], cursor: "here" };
  };
  expect((await keysOf(scan(storage))).length).toBe(5);
});

test("a scan asks for no page that nobody wants", async () => {
  const storage = await filled();
  for await (const { key } of scan(storage, { limit: 2 })) if (key === "a/1") break;
  expect(storage.calls).toEqual(["list"]);
});
