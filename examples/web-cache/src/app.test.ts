import type { ErrorCode } from "@stowage/core";
import { json, limited, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { mockStorage } from "@stowage/testing";
import type { Hono } from "hono";
import { expect, test } from "vitest";
import { makeApp } from "./app.ts";

interface TestApp {
  readonly app: Hono;
  /** What the notes stand on. */
  readonly mock: ReturnType<typeof mockStorage>;
  readonly logged: unknown[];
}

function testApp(): TestApp {
  const mock = mockStorage();
  const logged: unknown[] = [];
  const app = makeApp({
    notes: stack(mock, json()),
    files: stack(memoryStorage(), limited({ maxSize: 100 })),
    metrics: () => Promise.resolve("up 1\n"),
    isReady: () => true,
    log: (error) => void logged.push(error),
  });
  return { app, mock, logged };
}

const put = (app: Hono, path: string, body: string | ReadableStream, headers: Record<string, string> = {}): Promise<Response> =>
  Promise.resolve(app.request(path, { method: "PUT", body, headers, ...(body instanceof ReadableStream && { duplex: "half" }) }));

test("a note that was put is got back with its etag, is gone when it was deleted, and is not found then", async () => {
  const { app } = testApp();
  const stored = await put(app, "/notes/ada", '{"name":"Ada"}');
  expect([stored.status, stored.headers.get("etag")]).toEqual([204, expect.stringMatching(/^".+"$/)]);
  const got = await app.request("/notes/ada");
  expect([got.status, got.headers.get("etag"), await got.json()]).toEqual([200, stored.headers.get("etag"), { name: "Ada" }]);
  expect((await app.request("/notes/ada", { method: "DELETE" })).status).toBe(204);
  expect((await app.request("/notes/ada")).status).toBe(404);
});

test.each(["/notes/a", "/files/a/b"])("who has the version of %s already is told so without its body", async (path) => {
  const { app } = testApp();
  const etag = (await put(app, path, '"one"')).headers.get("etag")!;
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const again = await app.request(path, { headers: { "if-none-match": header } });
    expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""]);
  }
  await put(app, path, '"two"');
  expect((await app.request(path, { headers: { "if-none-match": etag } })).status).toBe(200);
});

test.each(["/notes/a", "/files/a/b"])("%s is written only over the version that the caller names", async (path) => {
  const { app } = testApp();
  const etag = (await put(app, path, "1", { "if-none-match": "*" })).headers.get("etag")!;
  expect((await put(app, path, "2", { "if-none-match": "*" })).status).toBe(412);
  expect((await put(app, path, "2", { "if-match": '"other"' })).status).toBe(412);
  expect((await put(app, path, "2", { "if-match": "%" })).status).toBe(412);
  expect((await put(app, path, "2", { "if-match": etag })).status).toBe(204);
  expect((await app.request(path, { method: "DELETE", headers: { "if-match": etag } })).status).toBe(412);
  expect(await (await app.request(path)).text()).toBe("2");
});

test("a file comes back byte for byte, in parts as it went in, and HEAD tells its size alone", async () => {
  const { app } = testApp();
  const chunks = [1, 2, 3].map((byte) => new Uint8Array(10).fill(byte));
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
  expect((await put(app, "/files/some/path.bin", body)).status).toBe(204);
  const got = await app.request("/files/some/path.bin");
  expect(new Uint8Array(await got.arrayBuffer())).toEqual(new Uint8Array([1, 2, 3].flatMap((byte) => Array<number>(10).fill(byte))));
  const head = await app.request("/files/some/path.bin", { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "30", ""]);
  expect((await put(app, "/files/empty", "")).status).toBe(204);
  expect(await (await app.request("/files/empty")).text()).toBe("");
  expect((await app.request("/files/nothing")).status).toBe(404);
});

test("what is too large is refused, whether its size was declared or not, and nothing is stored", async () => {
  const { app } = testApp();
  const stream = (): ReadableStream => new Blob(["x".repeat(101)]).stream();
  expect((await put(app, "/files/a", "x".repeat(101), { "content-length": "101" })).status).toBe(413);
  expect((await put(app, "/files/a", stream())).status).toBe(413);
  expect((await app.request("/files/a")).status).toBe(404);
  expect((await put(app, "/notes/a", `"${"x".repeat(1_000_000)}"`)).status).toBe(413);
  expect((await app.request("/notes/a")).status).toBe(404);
});

test("a body that is no JSON, or no key, is the caller's mistake", async () => {
  const { app } = testApp();
  expect((await put(app, "/notes/a", "{oops")).status).toBe(400);
  expect((await put(app, "/notes/a%00b", "1")).status).toBe(400);
  expect((await put(app, `/notes/${"x".repeat(1_025)}`, "1")).status).toBe(400);
});

const statuses: Record<ErrorCode, number> = {
  "invalid-key": 400,
  "invalid-value": 400,
  "invalid-option": 400,
  "precondition-failed": 412,
  conflict: 409,
  corrupt: 500,
  tampered: 500,
  "wrong-key": 500,
  "unknown-key": 500,
  full: 507,
  "too-large": 413,
  denied: 403,
  "read-only": 403,
  timeout: 504,
  throttled: 429,
  unavailable: 503,
  partial: 500,
  closed: 503,
  unsupported: 501,
  config: 500,
  internal: 500,
};

test.each(Object.entries(statuses))("%s is answered with %i", async (code, status) => {
  const { app, mock, logged } = testApp();
  mock.on("getEntry").fails(new StorageError(code as ErrorCode, "It says why.", { key: "secret" }));
  const answer = await app.request("/notes/a");
  expect(answer.status).toBe(status);
  expect(await answer.json()).toEqual({ code, message: status === 500 ? "Something went wrong." : "It says why." });
  expect(logged).toHaveLength(status === 500 ? 1 : 0);
});

test("who is asked to come back is told when, in whole seconds", async () => {
  const { app, mock } = testApp();
  mock.on("getEntry", "a").fails(new StorageError("throttled", "Slow down.", { retryAfter: 2_100 }));
  mock.on("getEntry", "b").fails(new StorageError("unavailable", "Down."));
  expect((await app.request("/notes/a")).headers.get("retry-after")).toBe("3");
  expect((await app.request("/notes/b")).headers.get("retry-after")).toBe("1");
});

test("an error of nobody's making is logged, and says nothing of the inside", async () => {
  const { app, mock, logged } = testApp();
  mock.on("getEntry").fails(new TypeError("secret detail"));
  const answer = await app.request("/notes/a");
  expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining("secret")]);
  expect(logged).toHaveLength(1);
});

test("a request that was given up ends the call below", async () => {
  const { app, mock } = testApp();
  mock.on("getEntry").hangs();
  const controller = new AbortController();
  const answer = app.request("/notes/a", { signal: controller.signal });
  controller.abort();
  expect((await answer).status).toBe(499);
});

test("health, metrics, and a path that is not there", async () => {
  const { app } = testApp();
  expect(await (await app.request("/health")).json()).toEqual({ status: "ok" });
  expect(await (await app.request("/metrics")).text()).toBe("up 1\n");
  expect((await app.request("/nothing")).status).toBe(404);
});
