import { stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { MockStorage, VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import { behind } from "./index.ts";
import { decodeRecord, encodeRecord } from "./record.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

test("writes of one key within the window reach the storage below as one", async () => {
  const clock = new VirtualClock();
  const below = memoryStorage({ clock });
  const storage = stack(below, behind({ clock, window: 100 }));
  for (const text of ["a", "b", "c"]) await storage.put("key", bytes(text));
  expect(await below.get("key")).toBeUndefined();
  expect(await storage.get("key")).toEqual(bytes("c"));
  await clock.advance(100);
  expect(await below.get("key")).toEqual(bytes("c"));
  expect(storage.details().stats).toMatchObject({ written: 1, coalesced: 2, pending: 0 });
  await storage.close();
});

test("what a journal holds at the start is visible at once, and written", async () => {
  const clock = new VirtualClock();
  const journal = memoryStorage({ clock });
  const write = { sequence: 7, key: "key", value: bytes("left"), metadata: { a: "b" }, expiresAt: undefined };
  await journal.put("0000000000000006", encodeRecord({ ...write, sequence: 6, value: bytes("older") }));
  await journal.put("0000000000000007", encodeRecord(write));
  const below = memoryStorage({ clock });
  const storage = behind({ clock, journal })(below);
  expect(await storage.get("key")).toEqual(bytes("left"));
  await storage.flush();
  expect(await below.getEntry("key")).toMatchObject({ value: bytes("left"), metadata: { a: "b" } });
  await clock.advance(0);
  expect((await journal.list()).entries).toEqual([]);
  await storage.close();
});

test("any damaged byte of a record is an error that names the record", () => {
  const record = encodeRecord({ sequence: 7, key: "key", value: bytes("value"), metadata: { a: "b" }, expiresAt: 5 });
  expect(decodeRecord("0000000000000007", record)).toMatchObject({ key: "key", value: bytes("value"), expiresAt: 5 });
  for (let at = 0; at < record.length; at++) {
    const changed = record.slice();
    changed[at] = (changed[at] as number) ^ 1;
    expect(() => decodeRecord("0000000000000007", changed)).toThrow(StorageError);
    expect(() => decodeRecord("0000000000000007", record.slice(0, at))).toThrow(/0000000000000007/);
  }
});

test("a full queue makes the next write wait, until its abort or until there is room", async () => {
  const clock = new VirtualClock();
  const below = new MockStorage({ clock });
  below.on("put").hangs();
  const storage = behind({ clock, maxPending: 1, window: 0 })(below);
  await storage.put("a", bytes("1"));
  const abort = new AbortController();
  const waiting = storage.put("b", bytes("2"), { signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  const closing = expect(storage.close()).rejects.toMatchObject({ code: "partial", failures: [{ key: "a" }] });
  await clock.advance(60_000);
  await closing;
});
