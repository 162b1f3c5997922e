import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { VirtualClock } from "@stowage/testing";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { streamDownload } from "./downloads.ts";
import { onDouble, transports } from "./testing/doubles.ts";

const mebibyte = 2 ** 20;
const partSize = 5 * mebibyte;

/** Bytes that differ from part to part. */
function chunks(count: number): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: count }, (_, index) => new Uint8Array(mebibyte).fill(index + 1));
}

async function* give(values: readonly Uint8Array<ArrayBuffer>[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield* values;
}

async function digestOf(stream: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  const hash = createHash("md5");
  for await (const chunk of stream!) hash.update(chunk);
  return hash.digest("hex");
}

describe.each(transports)("with %s", (transport) => {
  test("a large value is uploaded in parts and read back as it was", async () => {
    const { double, storage } = await onDouble({ transport, partSize, partsInFlight: 2 });
    const info = await storage.write("key", give(chunks(13)), { metadata: { author: "Ada" }, size: 13 * mebibyte });
    expect(
      double.calls
        .filter(({ operation }) => operation === "UploadPart")
        .map(({ size }) => size / mebibyte)
        .toSorted((a, b) => a - b),
    ).toEqual([3, 5, 5]);
    expect(info).toMatchObject({ size: 13 * mebibyte, etag: expect.stringMatching(/-3$/) as string });
    const entry = await storage.read("key");
    expect(entry).toMatchObject({ size: 13 * mebibyte, etag: info.etag, metadata: { author: "Ada" } });
    expect(await digestOf(entry?.value)).toBe(await digestOf(give(chunks(13))));
    const part = await storage.read("key", { start: 5 * mebibyte - 1, end: 5 * mebibyte + 1 });
    expect(await new Response(part?.value).bytes()).toEqual(Uint8Array.of(5, 6));
  });

  test("a part that fails is sent again, and one that always fails ends the upload and its source", async () => {
    const { double, storage } = await onDouble({ transport, partSize });
    double.on("UploadPart").answers(503, { retryAfter: "0" });
    await storage.write("key", give(chunks(6)));
    double.on("UploadPart").answers(403);
    let ended = false;
    const source = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      try {
        yield* chunks(6);
        await new Promise(() => {});
      } finally {
        ended = true;
      }
    };
    await expect(storage.write("other", source())).rejects.toMatchObject({ code: "denied", operation: "write", key: "other" });
    await storage.close();
    expect([double.keys("bucket"), double.uploads("bucket")]).toEqual([["key"], []]);
    expect(ended).toBe(false); // a generator that hangs cannot be ended; nobody waits for it
  });

  test("an upload is aborted however it fails: at its source, by its size, by its signal, at its end", async () => {
    const { double, storage } = await onDouble({ transport, partSize });
    const broken = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield* chunks(6);
      throw new Error("broken source");
    };
    await expect(storage.write("key", broken())).rejects.toThrow("broken source");
    await expect(storage.write("key", give(chunks(6)), { size: 7 * mebibyte })).rejects.toMatchObject({ code: "invalid-value" });
    double.on("UploadPart").hangs();
    double.calls.length = 0;
    const stop = new AbortController();
    const writing = storage.write("key", give(chunks(6)), { signal: stop.signal });
    await expect.poll(() => double.calls.some(({ operation }) => operation === "UploadPart")).toBe(true);
    stop.abort(new Error("enough"));
    await expect(writing).rejects.toThrow("enough");
    double.on("CompleteMultipartUpload").answers(403);
    await expect(storage.write("key", give(chunks(6)))).rejects.toMatchObject({ code: "denied" });
    await storage.close();
    expect([double.keys("bucket"), double.uploads("bucket")]).toEqual([[], []]);
  });

  test("an upload that is aborted while it begins is aborted when its id comes, and close waits for that up to its limit", async () => {
    const clock = new VirtualClock(Date.now());
    const { double, storage, another } = await onDouble({ transport, partSize, clock });
    const abortedAtStart = async (): Promise<void> => {
      double.calls.length = 0;
      const stop = new AbortController();
      const writing = storage.write("key", give(chunks(6)), { signal: stop.signal });
      await expect.poll(() => double.calls.map(({ operation }) => operation)).toEqual(["CreateMultipartUpload"]);
      stop.abort(new Error("enough"));
      await expect(writing).rejects.toThrow("enough");
    };
    double.on("CreateMultipartUpload").slows(2, 200);
    await abortedAtStart();
    await expect.poll(() => double.calls.at(-1)?.operation).toBe("AbortMultipartUpload");
    expect(double.uploads("bucket")).toEqual([]);
    double.on("CreateMultipartUpload").hangs({ effect: true });
    await abortedAtStart();
    const closing = storage.close();
    await expect.poll(() => clock.pending).toBe(1);
    await clock.advance(10_000);
    await closing;
    await another().gc({ olderThan: 0 });
  });

  test("a part waits as long as the service asks for, but not for longer than half a minute", async () => {
    const clock = new VirtualClock(Date.now());
    const { double, storage } = await onDouble({ transport, partSize, clock });
    double.on("UploadPart").answers(503, { retryAfter: "30" });
    const writing = storage.write("key", give(chunks(6)));
    await expect.poll(() => clock.pending).toBe(1);
    await clock.advance(30_000);
    await writing;
    double.on("UploadPart").answers(503, { retryAfter: "31" });
    await expect(storage.write("other", give(chunks(6)))).rejects.toMatchObject({ code: "throttled", retryAfter: 31_000 });
  });

  test("a source that is said to be larger than an upload can be is cancelled", async () => {
    const { storage } = await onDouble({ transport });
    const cancel = vi.fn();
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({ cancel });
    await expect(storage.write("key", source, { size: 2 ** 52 })).rejects.toMatchObject({ code: "too-large" });
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  test("an upload whose last answer is lost is found again by its write id", async () => {
    const { double, storage } = await onDouble({ transport, partSize });
    double.on("CompleteMultipartUpload").resetsAnswer(0);
    const info = await storage.write("key", give(chunks(6)), { ifNoneMatch: "*" });
    expect((await storage.head("key"))?.etag).toBe(info.etag);
    expect(await storage.head("key")).not.toHaveProperty("metadata");
  });

  test("an end of an upload that failed with the status of a success is a failure", async () => {
    const { double, storage } = await onDouble({ transport, partSize });
    double.on("CompleteMultipartUpload").answers(200, { code: "InternalError" });
    await expect(storage.write("key", give(chunks(6)))).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
  });

  test("an upload whose end tells no etag has it looked up", async () => {
    const { storage } = await onDouble({ transport, partSize }, { oldCeph: true });
    const info = await storage.write("key", give(chunks(6)));
    expect(info.etag).toBe((await storage.head("key"))?.etag);
  });

  test("gc aborts what was left long ago under the prefix, page by page, and nothing else", async () => {
    const clock = new VirtualClock(Date.now());
    const { double, storage, another } = await onDouble({ transport, clock, prefix: "mine/", partSize }, { pageSize: 2, clock });
    const hour = 3_600_000;
    for (const [key, age] of [
      ["mine/a", 30],
      ["mine/b", 25],
      ["mine/b", 24],
      ["mine/c", 23],
      ["other/a", 99],
    ] as const) {
      double.addStaleUpload("bucket", key, age * hour);
    }
    expect(await storage.gc()).toEqual({ aborted: 3 });
    expect(double.uploads("bucket").toSorted()).toEqual(["mine/c", "other/a"]);
    double.on("UploadPart").hangs();
    const stop = new AbortController();
    const writing = storage.write("open", give(chunks(6)), { signal: stop.signal });
    await expect.poll(() => storage.details().stats["openUploads"]).toBe(1);
    expect(await storage.gc({ olderThan: 0 })).toEqual({ aborted: 1 });
    expect(double.uploads("bucket").toSorted()).toEqual(["mine/open", "other/a"]);
    stop.abort();
    await expect(writing).rejects.toThrow("aborted");
    await another().gc({ olderThan: 0 });
  });

  test("a body that ends early, is too long or is cut off is an error, and never a short value", async () => {
    const { double, storage } = await onDouble({ transport });
    const value = new Uint8Array(200_000).fill(7);
    await storage.put("key", value);
    for (const after of [1, 20, 300, 1_000, 150_000]) {
      double.on("GetObject").resetsAnswer(after);
      await expect(storage.get("key")).rejects.toMatchObject({ code: "unavailable", retryable: true });
    }
    double.on("GetObject").lies(5);
    await expect(storage.get("key")).rejects.toMatchObject({ code: "unavailable" });
    double.on("GetObject").lies(5);
    const entry = await storage.read("key");
    await expect(new Response(entry?.value).bytes()).rejects.toThrow();
    expect(await storage.get("key")).toEqual(value);
  });

  test("a value that does not fit into memory is too large, and can be read as a stream", async () => {
    const { double, storage } = await onDouble({ transport });
    await storage.put("key", Uint8Array.of(7));
    double.on("GetObject").lies(2 ** 50);
    await expect(storage.get("key")).rejects.toMatchObject({ code: "too-large", outcome: "none", operation: "get", key: "key" });
    double.on("GetObject").lies(2 ** 50);
    const reader = (await storage.read("key"))!.value.getReader();
    expect((await reader.read()).value).toEqual(Uint8Array.of(7));
    await expect(reader.read()).rejects.toMatchObject({ code: "unavailable" });
  });

  test("a slow body is waited for, and its signal ends it", async () => {
    const { double, storage } = await onDouble({ transport });
    await storage.put("key", new Uint8Array(10).fill(7));
    double.on("GetObject").slows(5, 10);
    expect(await storage.get("key")).toEqual(new Uint8Array(10).fill(7));
    double.on("GetObject").slows(5, 60_000);
    const stop = new AbortController();
    const entry = await storage.read("key", { signal: stop.signal });
    const reader = entry!.value.getReader();
    await reader.read();
    stop.abort(new Error("enough"));
    await expect(reader.read()).rejects.toThrow("enough");
  });

  test("a value that changes between its size and its part is read again, and at last a conflict", async () => {
    const { double, storage, another } = await onDouble({ transport });
    await storage.put("key", Uint8Array.of(1, 2, 3));
    const entry = await storage.read("key", { start: -2, end: -1 });
    expect(await new Response(entry?.value).bytes()).toEqual(Uint8Array.of(2));
    double.on("GetObject").answers(416, { times: 4, code: "InvalidRange" });
    await expect(another().read("key", { start: -2, end: -1 })).rejects.toMatchObject({ code: "conflict" });
  });

  test("a stored checksum is checked when the whole value is read", async () => {
    const { double, storage } = await onDouble({ transport, checksum: true });
    await storage.put("key", Uint8Array.of(1, 2, 3));
    await storage.write("stream", give([Uint8Array.of(1, 2, 3)]));
    expect(await storage.get("key")).toEqual(Uint8Array.of(1, 2, 3));
    expect(await storage.head("key")).not.toHaveProperty("metadata");
    for (const key of ["key", "stream"]) double.damage("bucket", key, Uint8Array.of(1, 2, 4));
    await expect(storage.get("key")).rejects.toMatchObject({ code: "corrupt", key: "key" });
    const entry = await storage.read("stream");
    await expect(new Response(entry?.value).bytes()).rejects.toMatchObject({ code: "corrupt" });
  });
});

test("a body that stalls is a time-out, however it is read", async () => {
  const { double, storage } = await onDouble({ timeout: 200 });
  await storage.put("key", new Uint8Array(10));
  const timeout = { code: "timeout", outcome: "none" };
  double.on("GetObject").slows(2, 60_000, { times: 2 });
  await expect(storage.get("key")).rejects.toMatchObject(timeout);
  const reader = (await storage.read("key"))!.value.getReader();
  await reader.read();
  await expect(reader.read()).rejects.toMatchObject(timeout);
  double.on("ListObjectsV2").slows(2, 60_000);
  await expect(storage.list()).rejects.toMatchObject(timeout);
});

test.each(["cancelled", "aborted"])("a stream that is %s while a chunk is on its way gives nothing more, and does no harm", async (how) => {
  const uncaught = vi.fn();
  process.on("uncaughtException", uncaught);
  onTestFinished(() => void process.off("uncaughtException", uncaught));
  const body = new Readable({ read: () => {} });
  for (const byte of [1, 2, 3]) body.push(Buffer.of(byte));
  const stop = new AbortController();
  const info = { size: 9, length: 9, start: 0, etag: undefined, modifiedAt: undefined, headers: [] };
  const reader = streamDownload({ ...info, body }, { operation: "read", key: "key", sha256: undefined, signal: stop.signal }).getReader();
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
  body.once("resume", () => void (how === "cancelled" ? reader.cancel() : stop.abort(new Error("enough"))));
  const next = reader.read();
  if (how === "cancelled") expect(await next).toEqual({ done: true, value: undefined });
  else await expect(next).rejects.toThrow("enough");
  await expect.poll(() => body.closed).toBe(true);
  expect(uncaught).not.toHaveBeenCalled();
});
