import { expect, test } from "vitest";
import { bytesOf, MapByteStorage, MapStorage, readText, TrackedSource } from "../../test/map-storage.ts";
import { StorageError } from "../contract/storage-error.ts";
import { scan } from "../functions/scan.ts";
import { prefixed } from "./prefixed.ts";

async function filled(): Promise<MapStorage<number>> {
  const storage = new MapStorage<number>();
  for (const key of ["a", "users", "users/", "users/ada", "users/bob/1", "users/bob/2", "users/cy", "usersx", "z"])
    await storage.put(key, 1);
  storage.calls.length = 0;
  return storage;
}

test("every call goes to the key behind the prefix and is answered under the key without it", async () => {
  const inner = await filled();
  const users = prefixed("users/")(inner);
  expect(await users.put("dan", 2)).toMatchObject({ key: "dan" });
  expect(await users.get("dan")).toBe(2);
  expect(await users.getEntry("dan")).toMatchObject({ key: "dan", value: 2 });
  expect(await users.getEntries(["none", "dan"])).toMatchObject([undefined, { key: "dan" }]);
  expect(await users.head("dan")).toMatchObject({ key: "dan" });
  expect([await users.has("dan"), await users.has("z")]).toEqual([true, false]);
  await users.batch([{ type: "put", key: "eve", value: 3 }]);
  await users.delete("dan");
  expect([await inner.has("users/dan"), await inner.get("users/eve")]).toEqual([false, 3]);
});

test("streams go to the key behind the prefix", async () => {
  const inner = new MapByteStorage();
  const files = prefixed("files/")(inner);
  expect(await files.write("a", new Blob(["hello"]))).toMatchObject({ key: "a" });
  const entry = await files.read("a");
  expect([entry?.key, await readText(entry?.value)]).toEqual(["a", "hello"]);
  expect(await inner.get("files/a")).toEqual(bytesOf("hello"));
});

test("only what is below the prefix is listed, in order and page by page", async () => {
  const users = prefixed("users/")(await filled());
  const keys: string[] = [];
  for await (const { key } of scan(users, { limit: 1 })) keys.push(key);
  expect(keys).toEqual(["ada", "bob/1", "bob/2", "cy"]);
  expect(await users.list({ delimiter: "/" })).toEqual({ entries: [{ key: "ada" }, { key: "cy" }], prefixes: ["bob/"] });
  expect((await users.list({ prefix: "bob/", startAfter: "bob/1" })).entries).toEqual([{ key: "bob/2" }]);
});

test("clear leaves what is beside the prefix", async () => {
  const inner = await filled();
  await prefixed("users/")(inner).clear();
  expect((await inner.list()).entries.map(({ key }) => key)).toEqual(["a", "users", "usersx", "z"]);
});

test("a key that is none is refused before any I/O, whatever the prefix makes of it", async () => {
  const inner = await filled();
  const users = prefixed("users/")(inner);
  const refused = { code: "invalid-key", storage: "prefixed" };
  for (const key of ["", "a\0", "\uDC00"]) {
    await expect(users.get(key)).rejects.toMatchObject({ ...refused, operation: "get", key });
    await expect(users.getEntries(["ada", key])).rejects.toMatchObject({ ...refused, operation: "getEntries" });
    await expect(users.put(key, 1)).rejects.toMatchObject({ ...refused, operation: "put" });
    await expect(users.delete(key)).rejects.toMatchObject({ ...refused, operation: "delete" });
  }
  expect(inner.calls).toEqual([]);
});

test("a bad key fails alone in a batch, and cancels the source of a write", async () => {
  const inner = new MapByteStorage();
  const files = prefixed("files/")(inner);
  const batch = files.batch([
    { type: "delete", key: "" },
    { type: "put", key: "good", value: bytesOf("a") },
  ]);
  await expect(batch).rejects.toMatchObject({ code: "partial", failures: [{ index: 0, error: { code: "invalid-key" } }] });
  expect(await inner.has("files/good")).toBe(true);
  const source = new TrackedSource(["a"]);
  await expect(files.write("", source.stream)).rejects.toMatchObject({ code: "invalid-key" });
  expect(source.isCancelled).toBe(true);
});

test("what fails in a batch is told under the position and the key that it was handed in with", async () => {
  const inner = new MapByteStorage();
  const put = inner.put.bind(inner);
  inner.put = (key, value) => (key === "files/full" ? Promise.reject(new StorageError("full", "no room", { key })) : put(key, value));
  const value = bytesOf("a");
  const batch = prefixed("files/")(inner).batch([
    { type: "put", key: "", value },
    { type: "put", key: "good", value },
    { type: "put", key: "full", value },
  ]);
  const failures = [
    { index: 0, key: "" },
    { index: 2, key: "full", error: { code: "full", key: "files/full" } },
  ];
  await expect(batch).rejects.toMatchObject({ code: "partial", failures });
});

test("keys of 200 bytes always fit, the longest do not, and the capabilities say so", async () => {
  const users = prefixed("p".repeat(824))(new MapStorage<number>());
  expect(users.capabilities.anyKey).toBe(false);
  await users.put("k".repeat(200), 1);
  await expect(users.put("k".repeat(201), 1)).rejects.toMatchObject({ code: "invalid-key" });
});

test("a prefix that is none or leaves no room is refused when it is made", () => {
  for (const prefix of ["", "p".repeat(825), "a\0", "\uD800", undefined]) {
    expect(() => prefixed(prefix as string)).toThrow(expect.objectContaining({ code: "invalid-option" }));
  }
});
