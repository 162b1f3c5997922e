import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { S3Client } from "@aws-sdk/client-s3";
import type { Bytes, Operation } from "@stowage/core";
import { VirtualClock } from "@stowage/testing";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { S3Storage, s3Storage } from "./s3-storage.ts";
import { onDouble, transports } from "./testing/doubles.ts";

const one = Uint8Array.of(1);

describe.each(transports)("with %s", (transport) => {
  test("what the service says becomes an error of the contract, sent once", async () => {
    const { double, storage } = await onDouble({ transport });
    const answers: [status: number, code: string | undefined, expected: object][] = [
      [503, "SlowDown", { code: "throttled", retryable: true, retryAfter: 2_000, outcome: "none" }],
      [429, undefined, { code: "throttled", retryable: true }],
      [500, undefined, { code: "unavailable", retryable: true, outcome: "unknown" }],
      [403, undefined, { code: "denied", retryable: false, outcome: "none" }],
      [409, undefined, { code: "conflict", retryable: true }],
      [501, undefined, { code: "unsupported" }],
      [400, "EntityTooLarge", { code: "too-large" }],
      [403, "QuotaExceeded", { code: "full" }],
      [404, "NoSuchBucket", { code: "config" }],
      [400, "RequestTimeout", { code: "timeout" }],
    ];
    for (const [status, code, expected] of answers) {
      double.on("PutObject").answers(status, { code, retryAfter: "2" });
      double.calls.length = 0;
      await expect(storage.put("secret-key", one)).rejects.toMatchObject({
        operation: "put",
        key: "secret-key",
        storage: "s3",
        ...expected,
      });
      expect(double.calls).toHaveLength(1);
    }
    double.on("PutObject").answers(503);
    await expect(storage.put("secret-key", one)).rejects.not.toThrow("secret-key");
  });

  test("a bucket that is missing is an error of every call, also of those whose answer has no body", async () => {
    const { another } = await onDouble({ transport });
    const storage = another({ bucket: "missing" });
    const expected = { code: "config", message: expect.stringContaining("bucket does not exist") as string };
    const calls = [
      storage.has("key"),
      storage.head("key"),
      storage.get("key"),
      storage.read("key", { start: -1 }),
      storage.list(),
      storage.put("key", one),
      storage.delete("key"),
      storage.clear(),
    ];
    for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ status: "rejected", reason: expected });
  });

  test("whether the bucket is there is asked once", async () => {
    const { double, storage } = await onDouble({ transport });
    expect(await storage.has("key")).toBe(false);
    expect(await storage.has("key")).toBe(false);
    expect(double.calls.map(({ operation }) => operation)).toEqual(["HeadObject", "GetObject", "HeadObject"]);
  });

  test("a write whose answer is lost is of unknown outcome, and a read is not", async () => {
    const { double, storage } = await onDouble({ transport });
    double.on("PutObject").resetsAnswer(0);
    await expect(storage.put("key", one)).rejects.toMatchObject({ code: "unavailable", outcome: "unknown", retryable: true });
    double.on("PutObject").resetsRequest(1);
    await expect(storage.put("key", one)).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
    double.on("GetObject").resetsAnswer(0);
    await expect(storage.get("key")).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
    double.on("GetObject").resetsAnswer(0);
    await expect(storage.get("key")).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
  });

  test("a service that does not answer in time is a time-out, and one that is not there is known not to have done anything", async () => {
    const { double, another } = await onDouble({ transport });
    double.on("PutObject").hangs();
    await expect(another({ timeout: 50 }).put("key", one)).rejects.toMatchObject({ code: "timeout", outcome: "unknown" });
    await double.close();
    await expect(another().put("key", one)).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
  });

  test("deletes go together, 1,000 in a request, in order with whatever else touches the same key", async () => {
    const { double, storage } = await onDouble({ transport });
    const keys = Array.from({ length: 1_500 }, (_, index) => `key-${index}`);
    const odd = ["\u0001", "a\nb", "<&\"'>", "a+b %20"];
    for (const key of odd) await storage.put(key, one);
    const deletes = [...keys, ...odd].map((key): Operation<Bytes> => ({ type: "delete", key }));
    double.calls.length = 0;
    await storage.batch([
      ...deletes,
      { type: "put", key: "last", value: one },
      { type: "put", key: "x", value: one },
      { type: "delete", key: "x" },
    ]);
    expect(double.calls.filter(({ operation }) => operation === "DeleteObjects")).toHaveLength(2);
    expect(double.keys("bucket")).toEqual(["last"]);
  });

  test("deletes that fail together are told one by one, and a service without them has each deleted by itself", async () => {
    const { double, storage } = await onDouble({ transport });
    const deletes = ["a", "b"].map((key): Operation<Bytes> => ({ type: "delete", key }));
    double.on("DeleteObjects").answers(503);
    await expect(storage.batch(deletes)).rejects.toMatchObject({
      code: "partial",
      retryable: true,
      failures: [{ index: 0 }, { index: 1 }],
    });
    await storage.put("a", one);
    double.on("DeleteObjects").answers(501);
    await storage.batch(deletes);
    expect(double.keys("bucket")).toEqual([]);
  });

  test("clear removes every page under its prefix, whatever the keys", async () => {
    const { double, storage } = await onDouble({ transport, prefix: "p/" }, { pageSize: 3 });
    const keys = Array.from({ length: 20 }, (_, index) => `a/${index} +%é`);
    for (const key of [...keys, "b"]) await storage.put(key, one);
    await storage.clear({ prefix: "a/" });
    expect(double.keys("bucket")).toEqual(["p/b"]);
  });

  test("a prefix keeps storages apart, and counts for the length of a key", async () => {
    const { storage, another } = await onDouble({ transport, prefix: "one/" });
    const other = another({ prefix: "two/" });
    await storage.put("key", one);
    expect(await other.get("key")).toBeUndefined();
    expect((await storage.list()).entries).toEqual([{ key: "key" }]);
    expect(storage.capabilities.anyKey).toBe(false);
    await expect(storage.put("k".repeat(1_021), one)).rejects.toMatchObject({ code: "invalid-key" });
    await storage.put("k".repeat(1_020), one);
    await expect(storage.batch([{ type: "delete", key: "k".repeat(1_021) }])).rejects.toMatchObject({
      code: "partial",
      failures: [{ error: { code: "invalid-key" } }],
    });
  });

  test("an object whose key is only the prefix, as consoles make it for a folder, is no entry", async () => {
    const { double, storage, another } = await onDouble({ transport, prefix: "users/" });
    await another({ prefix: "" }).put("users/", new Uint8Array());
    await storage.put("ada", one);
    await storage.put("old/bob", one);
    expect(await storage.list()).toEqual({ entries: [{ key: "ada" }, { key: "old/bob" }], prefixes: [] });
    expect(await storage.list({ delimiter: "/" })).toEqual({ entries: [{ key: "ada" }], prefixes: ["old/"] });
    await storage.clear();
    expect(double.keys("bucket")).toEqual(["users/"]);
  });

  test("credentials that cannot be had are unavailable, and nothing was sent", async () => {
    const { double, another } = await onDouble({ transport });
    const failure = new Error("no answer from the provider");
    const credentials = async (): Promise<never> => {
      throw failure;
    };
    const { endpoint, region } = double;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    onTestFinished(() => client.destroy());
    const storage = another(transport === "our own client" ? { credentials } : { client });
    const expected = { code: "unavailable", outcome: "none", retryable: true, key: "key", cause: { cause: failure } };
    await expect(storage.put("key", one)).rejects.toMatchObject({ ...expected, operation: "put" });
    await expect(storage.get("key")).rejects.toMatchObject({ ...expected, operation: "get" });
    await expect(storage.presign("key")).rejects.toMatchObject({ ...expected, operation: "presign" });
    expect(double.calls).toEqual([]);
  });

  test("a listing that is cut short is an error, and not a short list", async () => {
    const { double, storage } = await onDouble({ transport });
    await expect(storage.list({ cursor: "made up" })).rejects.toMatchObject({ code: "internal" });
    double.on("ListObjectsV2").resetsAnswer(250);
    await expect(storage.list()).rejects.toMatchObject({ code: "unavailable" });
  });

  test("a presigned address lets anybody do one thing with one entry, for a while", async () => {
    const { storage } = await onDouble({ transport });
    const key = "a b/ü+%.txt";
    const put = await storage.presign(key, { method: "PUT", expires: 60_000 });
    expect((await fetch(put, { method: "PUT", body: "hello" })).status).toBe(200);
    const get = await storage.presign(key);
    expect(await (await fetch(get)).text()).toBe("hello");
    expect((await fetch(get, { method: "PUT", body: "x" })).status).toBe(403);
    expect((await fetch(`${get}0`)).status).toBe(403);
    expect(get).toContain("X-Amz-Expires=900");
    await expect(storage.presign(key, { expires: 0 })).rejects.toMatchObject({ code: "invalid-option", operation: "presign" });
    await expect(storage.presign(key, { expires: 8 * 86_400_000 })).rejects.toMatchObject({ code: "invalid-option" });
    await expect(storage.presign(key, { method: "POST" as "PUT" })).rejects.toMatchObject({ code: "invalid-option" });
  });
});

test("a call that waits for a free connection ends by its signal, or in time, and is never sent", async () => {
  const { double, storage } = await onDouble({ connections: 1, timeout: 200 });
  await storage.put("large", new Uint8Array(2 ** 20));
  const held = await storage.read("large");
  const stop = new AbortController();
  const aborted = storage.get("aborted", { signal: stop.signal });
  const late = storage.put("late", one);
  stop.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  await expect(late).rejects.toMatchObject({ code: "timeout", outcome: "none", retryable: true });
  const waiting = storage.get("waiting");
  await held!.value.cancel();
  expect(await waiting).toBeUndefined();
  expect(double.calls.map(({ key }) => key)).toEqual(["large", "large", "waiting"]);
});

test("however a request ends, its connection is free for the next", async () => {
  const { double, storage } = await onDouble({ connections: 1, timeout: 200 });
  await storage.put("key", new Uint8Array(100_000));
  const get = double.on("GetObject");
  get.answers(403);
  get.answers(404);
  get.resetsAnswer(0);
  get.resetsAnswer(20);
  get.resetsAnswer(1_000);
  get.lies(5);
  get.hangs();
  get.slows(2, 60_000);
  const ended = await Promise.allSettled(Array.from({ length: 8 }, () => storage.get("key")));
  expect(ended.filter(({ status }) => status === "rejected")).toHaveLength(7);
  double.on("PutObject").resetsRequest(1);
  double.on("PutObject").answers(503);
  await Promise.allSettled([storage.put("key", one), storage.put("key", one)]);
  await (await storage.read("key"))!.value.cancel();
  const stop = new AbortController();
  const aborted = storage.get("key", { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(await Promise.all([storage.has("key"), storage.has("none"), storage.get("key")])).toMatchObject([
    true,
    false,
    { length: 100_000 },
  ]);
});

test("credentials that ended are asked for again, and their provider once for many calls", async () => {
  const { double, another } = await onDouble();
  const { accessKeyId, secretAccessKey } = double;
  const provider = vi.fn(async () => ({ accessKeyId: provider.mock.calls.length === 1 ? "ended" : accessKeyId, secretAccessKey }));
  const storage = another({ credentials: provider });
  expect(await Promise.all([storage.get("key"), storage.get("key")])).toEqual([undefined, undefined]);
  await storage.get("key");
  expect(provider.mock.calls.length).toBeLessThanOrEqual(3);
  const wrong = another({ credentials: { accessKeyId, secretAccessKey: "wrong" } });
  await expect(wrong.get("key")).rejects.toMatchObject({ code: "denied", retryable: false });
  const withMore = { accessKeyId, secretAccessKey, $source: { CREDENTIALS_CODE: "e" }, accountId: "1" }; // as the SDK leaves them
  expect(await another({ credentials: withMore }).has("key")).toBe(false);
  await expect(another({ credentials: async () => ({}) as never }).get("key")).rejects.toMatchObject({ code: "config" });
});

test("credentials are renewed before they end", async () => {
  const clock = new VirtualClock(Date.now());
  const { double, another } = await onDouble({ clock }, { clock });
  const { accessKeyId, secretAccessKey } = double;
  const provider = vi.fn(async () => ({ accessKeyId, secretAccessKey, expiration: new Date(clock.now() + 300_000) }));
  const storage = another({ credentials: provider });
  await storage.get("key");
  await clock.advance(239_000);
  await storage.get("key");
  expect(provider).toHaveBeenCalledTimes(1);
  await clock.advance(1_000);
  await storage.get("key");
  expect(provider).toHaveBeenCalledTimes(2);
});

test("a clock that is wrong by hours is set by that of the service", async () => {
  const { storage, double } = await onDouble({ clock: new VirtualClock(Date.now() - 7_200_000) });
  await storage.put("key", one);
  await storage.put("key", one);
  expect(double.calls).toHaveLength(3);
});

test("what answers and is no S3 service is unavailable, however it answers", async () => {
  const answers = [
    "",
    "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhtml",
    "HTTP/1.1 200 OK\r\n\r\n",
    "garbage\r\n\r\n",
    "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
  ];
  let answer = "";
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const storage = s3Storage({ bucket: "bucket", endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, credentials });
  for (answer of answers) {
    await expect(storage.list()).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|config/) as string });
  }
  await storage.close();
});

test("options are checked when a storage is made, and secrets are in no detail", () => {
  const credentials = { accessKeyId: "name", secretAccessKey: "very-secret" };
  const wrong: [options: object, message: string][] = [
    [{}, "bucket is missing"],
    [{ bucket: "a/b" }, "bucket must be the name of a bucket"],
    [{ bucket: "bucket", endpoint: "localhost:9000" }, "endpoint must be an address"],
    [{ bucket: "bucket", endpoint: "https://user:word@example.com" }, "endpoint must be an address"],
    [{ bucket: "bucket", partSize: 1024 }, "partSize"],
    [{ bucket: "bucket", conditions: ["all"] }, "conditions"],
    [{ bucket: "bucket", credentials: { accessKeyId: "a" } }, "credentials"],
    [{ bucket: "bucket", pathstyle: true }, 'did you mean "pathStyle"'],
    [{ bucket: "bucket", client: {} }, "client must be an S3Client"],
  ];
  for (const [options, message] of wrong) expect(() => s3Storage(options as never)).toThrow(message);
  const storage = new S3Storage({ bucket: "bucket", credentials });
  expect(JSON.stringify(storage.details())).not.toContain("very-secret");
});

test("a ttl is refused in words that say what helps", async () => {
  const { storage } = await onDouble();
  await expect(storage.put("key", one, { ttl: 1_000 })).rejects.toThrow("envelope()");
  await expect(storage.batch([{ type: "put", key: "key", value: one, options: { ttl: 1_000 } }])).rejects.toMatchObject({
    code: "unsupported",
  });
  await expect(storage.put("key", one, { ttl: -1 })).rejects.toMatchObject({ code: "invalid-option" });
});

test("AWS is addressed by the host of the bucket, and by its path where a certificate would not fit", async () => {
  const credentials = { accessKeyId: "a", secretAccessKey: "b", sessionToken: "c" };
  const address = async (options: object): Promise<string> =>
    await new S3Storage({ bucket: "photos", credentials, ...options }).presign("a b");
  expect(await address({ region: "eu-central-1" })).toMatch(
    /^https:\/\/photos\.s3\.eu-central-1\.amazonaws\.com\/a%20b\?.*X-Amz-Security-Token=c/,
  );
  expect(await address({ bucket: "my.photos", region: "eu-central-1" })).toMatch(
    /^https:\/\/s3\.eu-central-1\.amazonaws\.com\/my\.photos\/a%20b\?/,
  );
  expect(await address({ endpoint: "https://example.com:8443/s3/" })).toMatch(/^https:\/\/example\.com:8443\/s3\/photos\/a%20b\?/);
  expect(await address({ endpoint: "https://example.com", pathStyle: false })).toMatch(/^https:\/\/photos\.example\.com\/a%20b\?/);
});
