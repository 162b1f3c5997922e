import assert from "node:assert/strict";
import type { ByteStorage } from "@stowage/core";
import { findLayer, StorageError } from "@stowage/core";
import { describe, expect, test } from "vitest";
import { MockStorage, mockStorage } from "./mock-storage.ts";

interface User {
  readonly name: string;
}

const users = (): ReturnType<typeof mockStorage<User>> => mockStorage<User>({ values: "any" });
const ada: User = { name: "Ada" };
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

describe("mockStorage", () => {
  test("stores what nobody scripted", async () => {
    const mock = users();
    await mock.put("user:1", ada);
    expect(await mock.get("user:1")).toEqual(ada);
  });

  test("is a backend of its own, found by its class", () => {
    const mock = users();
    expect(mock.inner).toEqual([]);
    expect(findLayer(mock, MockStorage)).toBe(mock);
    expect("read" in mock && mock.read).toBe(undefined);
  });

  test("is made by its class as well as by its factory", async () => {
    const files = new MockStorage();
    const storage: ByteStorage = files;
    await storage.write("key", new Blob(["hello"]));
    files.expectPut("key");
    expect(await storage.get("key")).toEqual(bytes("hello"));
    const mock = new MockStorage<User>({ values: "any" });
    mock.on("get", "user:1").returns(ada);
    expect(await mock.get("user:1")).toEqual(ada);
  });

  test("works under any test runner, because it loads none", async () => {
    const { readFile } = await import("node:fs/promises");
    const seen = new Set<string>();
    const walk = async (file: URL): Promise<void> => {
      if (seen.has(file.href)) return;
      seen.add(file.href);
      const source = await readFile(file, "utf8");
      for (const [, name = ""] of source.matchAll(/from "([^"]+)"/g)) {
        if (name.startsWith(".")) await walk(new URL(name, file));
        else assert.ok(name === "@stowage/core" || name === "@stowage/memory", `${file.pathname} imports ${name}`);
      }
    };
    await walk(new URL("index.ts", import.meta.url));
    expect(seen.size).toBeGreaterThan(5);
  });
});

describe("scripts", () => {
  test("answer for one key and leave the others alone", async () => {
    const mock = users();
    mock.on("get", "user:1").returns(ada);
    expect(await mock.get("user:1")).toEqual(ada);
    expect(await mock.get("user:2")).toBe(undefined);
  });

  test("hand out a copy each time, of what was scripted then", async () => {
    const mock = mockStorage<{ tags: string[] }>({ values: "any" });
    const value = { tags: ["a"] };
    mock.on("get").returns(value);
    value.tags.push("later");
    (await mock.get("k"))?.tags.push("caller");
    expect(await mock.get("k")).toEqual({ tags: ["a"] });
  });

  test("are asked in their order until they are used up", async () => {
    const mock = users();
    mock.on("get", "user:1").fails("unavailable", { times: 2 }).returns(ada, { times: 1 });
    for (let attempt = 0; attempt < 2; attempt++) await expect(mock.get("user:1")).rejects.toMatchObject({ code: "unavailable" });
    expect(await mock.get("user:1")).toEqual(ada);
    expect(await mock.get("user:1")).toBe(undefined);
  });

  test("wait for later calls with after", async () => {
    const mock = users();
    mock.on("put").fails("full", { after: 2, times: 1 });
    await mock.put("a", ada);
    await mock.put("b", ada);
    await expect(mock.put("c", ada)).rejects.toMatchObject({ code: "full", operation: "put", key: "c", storage: "mock" });
    await mock.put("c", ada);
    expect((await mock.list()).entries.map(({ key }) => key)).toEqual(["a", "b", "c"]);
  });

  test("match several operations, any, or what a function says", async () => {
    const mock = users();
    mock.on(["get", "head"]).fails("denied", { times: 2 });
    await expect(mock.get("k")).rejects.toMatchObject({ code: "denied" });
    await expect(mock.head("k")).rejects.toMatchObject({ code: "denied" });
    mock.on("put", ({ input }) => (input as User).name === "Bob").fails("invalid-value");
    await mock.put("k", ada);
    await expect(mock.put("k", { name: "Bob" })).rejects.toMatchObject({ code: "invalid-value" });
    mock.on("any", "broken").fails("corrupt");
    await expect(mock.has("broken")).rejects.toMatchObject({ code: "corrupt" });
    await expect(mock.getEntries(["k", "broken"])).rejects.toMatchObject({ code: "corrupt" });
    await expect(mock.batch([{ type: "delete", key: "broken" }])).rejects.toMatchObject({ code: "corrupt" });
    await mock.close();
  });

  test("fail with the very error, or with whatever a function makes", async () => {
    const mock = users();
    const error = new TypeError("not one of ours");
    mock.on("get", "a").fails(error);
    await expect(mock.get("a")).rejects.toBe(error);
    mock.on("get", "b").fails(() => "not even an error");
    await expect(mock.get("b")).rejects.toBe("not even an error");
  });

  test("fail before anything happens, or lose the answer of what happened", async () => {
    const mock = users();
    mock.on("put", "failed").fails();
    mock.on("put", "lost").loses();
    await expect(mock.put("failed", ada)).rejects.toMatchObject({ code: "unavailable", outcome: "none" });
    await expect(mock.put("lost", ada)).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
    expect(await mock.has("failed")).toBe(false);
    expect(await mock.has("lost")).toBe(true);
  });

  test("hang until the signal ends the call with its reason", async () => {
    const mock = users();
    mock.on("put", "k").hangs();
    mock.on("put", "taken").hangs({ effect: true });
    for (const [key, stored] of [
      ["k", false],
      ["taken", true],
    ] as const) {
      const stop = new AbortController();
      const reason = new Error("enough");
      const call = mock.put(key, ada, { signal: stop.signal });
      await mock.clock.advance(1_000_000);
      expect(mock.calls.at(-1)?.outcome).toBe("pending");
      stop.abort(reason);
      await expect(call).rejects.toBe(reason);
      expect(await mock.has(key)).toBe(stored);
    }
  });

  test("delay an answer by the clock, and end the delay with the signal", async () => {
    const mock = users();
    mock.on("get").delays(50);
    let answered = false;
    const call = mock.get("k").then(() => (answered = true));
    await mock.clock.advance(49);
    expect(answered).toBe(false);
    await mock.clock.advance(1);
    await call;
    const stop = new AbortController();
    const late = mock.get("k", { signal: stop.signal });
    stop.abort(new Error("too late"));
    await expect(late).rejects.toThrow("too late");
    expect(mock.clock.pending).toBe(0);
  });

  test("combine a delay with any other answer", async () => {
    const mock = users();
    mock.on("get").fails("timeout", { delay: 30 });
    const call = mock.get("k");
    const failed = expect(call).rejects.toMatchObject({ code: "timeout" });
    await mock.clock.advance(30);
    await failed;
  });

  test("throw where a storage should reject", () => {
    const mock = users();
    mock.on("get").throws(new Error("at once"));
    expect(() => mock.get("k")).toThrow("at once");
  });

  test("shorten pages, whose cursors go on", async () => {
    const mock = users();
    for (const key of ["a", "b", "c"]) await mock.put(key, ada);
    mock.on("list").shortens(1, { times: 1 });
    const first = await mock.list();
    expect(first.entries.map(({ key }) => key)).toEqual(["a"]);
    const rest = await mock.list({ cursor: first.cursor });
    expect(rest.entries.map(({ key }) => key)).toEqual(["b", "c"]);
  });

  test("deliver a call twice", async () => {
    const mock = users();
    mock.on("put").repeats();
    const { etag } = await mock.put("k", ada);
    expect((await mock.head("k"))?.etag).toBe(etag);
    await mock.put("once", ada, { ifNoneMatch: "*" });
    await expect(mock.put("once", ada, { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "precondition-failed" });
  });

  test("answer with what a function makes", async () => {
    const mock = mockStorage();
    mock.on("get").answers(({ key }) => bytes(`value of ${key}`));
    expect(await mock.get("k")).toEqual(bytes("value of k"));
  });

  test("refuse what cannot happen to an operation", () => {
    const mock = users();
    expect(() => mock.on("get").breaks()).toThrow("Only read and write have a stream");
    expect(() => mock.on("put").shortens(1)).toThrow("Only a list");
  });

  test("are forgotten by reset, as the calls are, while entries stay", async () => {
    const mock = users();
    mock.on("get").fails();
    await mock.put("k", ada);
    mock.reset();
    expect(mock.calls).toEqual([]);
    expect(await mock.get("k")).toEqual(ada);
  });
});

describe("scripts for streams", () => {
  test("break a read in the middle", async () => {
    const mock = mockStorage();
    await mock.put("k", bytes("0123456789"));
    mock.on("read").breaks("unavailable", { bytes: 4, times: 1 });
    expect(await collect(mock, "k")).toEqual({ text: "0123", error: expect.objectContaining({ code: "unavailable" }) });
    expect(await collect(mock, "k")).toEqual({ text: "0123456789", error: undefined });
  });

  test("break at the end of what is shorter", async () => {
    const mock = mockStorage();
    await mock.put("k", bytes("01"));
    mock.on("read").breaks("unavailable", { bytes: 100 });
    expect(await collect(mock, "k")).toEqual({ text: "01", error: expect.objectContaining({ code: "unavailable" }) });
  });

  test("stall a read until the signal ends it", async () => {
    const mock = mockStorage();
    await mock.put("k", bytes("0123456789"));
    mock.on("read").stalls({ bytes: 3 });
    const stop = new AbortController();
    const entry = await mock.read("k", { signal: stop.signal });
    const reader = entry!.value.getReader();
    expect((await reader.read()).value).toEqual(bytes("012"));
    const waiting = reader.read();
    stop.abort(new Error("no progress"));
    await expect(waiting).rejects.toThrow("no progress");
  });

  test("break a write: nothing is stored and the source is cancelled", async () => {
    const mock = mockStorage();
    await mock.put("k", bytes("old"));
    mock.on("write").breaks("unavailable", { bytes: 2 });
    const source = endless();
    await expect(mock.write("k", source.stream)).rejects.toMatchObject({ code: "unavailable" });
    expect(source.cancelled()).toBe(true);
    expect(await mock.get("k")).toEqual(bytes("old"));
  });

  test("stall a write until the signal ends it and cancels the source", async () => {
    const mock = mockStorage();
    mock.on("write").stalls({ bytes: 2 });
    const source = endless();
    const stop = new AbortController();
    const writing = mock.write("k", source.stream, { signal: stop.signal });
    await mock.clock.advance(0);
    stop.abort(new Error("no progress"));
    await expect(writing).rejects.toThrow("no progress");
    await mock.clock.advance(0);
    expect(source.cancelled()).toBe(true);
    expect(await mock.has("k")).toBe(false);
  });

  test.each([
    ["fails", (mock: ReturnType<typeof mockStorage>) => mock.on("write").fails("full")],
    ["throws", (mock: ReturnType<typeof mockStorage>) => mock.on("write").throws()],
    ["answers", (mock: ReturnType<typeof mockStorage>) => mock.on("write").returns({ key: "k" })],
  ])("cancel the source of a write that %s without it", async (_, script) => {
    const mock = mockStorage();
    script(mock);
    const source = endless();
    await (async () => mock.write("k", source.stream))().catch(() => {});
    await mock.clock.advance(0);
    expect(source.cancelled()).toBe(true);
  });

  test("cancel the source of a write that hangs, when the signal ends it", async () => {
    const mock = mockStorage();
    mock.on("write").hangs();
    const source = endless();
    const stop = new AbortController();
    const writing = mock.write("k", source.stream, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(writing).rejects.toThrow("enough");
    await mock.clock.advance(0);
    expect(source.cancelled()).toBe(true);
  });

  test("deliver a write twice where its source can be read again", async () => {
    const mock = mockStorage();
    mock.on("write").repeats();
    await mock.write("blob", new Blob(["twice"]));
    expect(await mock.get("blob")).toEqual(bytes("twice"));
    await mock.write("stream", new Blob(["once"]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>);
    expect(await mock.get("stream")).toEqual(bytes("once"));
    mock.expectPut("blob", bytes("twice"));
  });
});

describe("the call log", () => {
  test("keeps calls in order with what was handed in and what became of them", async () => {
    const mock = users();
    const value = { name: "Ada" };
    await mock.put("k", value, { ttl: 5000 });
    value.name = "changed";
    await mock.get("missing");
    await mock.delete("k", { ifMatch: "other" }).catch(() => {});
    await mock.batch([{ type: "put", key: "b", value: ada }]);
    expect(mock.calls).toMatchObject([
      { operation: "put", key: "k", value: { name: "Ada" }, options: { ttl: 5000 }, outcome: "resolved" },
      { operation: "get", key: "missing", outcome: "resolved" },
      { operation: "delete", key: "k", outcome: "rejected", error: { code: "precondition-failed" } },
      { operation: "batch", keys: ["b"], operations: [{ type: "put", key: "b", value: ada }] },
    ]);
    expect(mock.details().stats).toEqual({ calls: 4 });
  });

  test("keeps the bytes that a write read of its source", async () => {
    const mock = mockStorage();
    await mock.write("k", new Blob(["streamed"]));
    mock.expectPut("k", bytes("streamed"));
    expect(mock.callsTo("write", "k")[0]?.value).toEqual(bytes("streamed"));
  });

  test("names only what came from outside", async () => {
    const mock = users();
    await mock.clear();
    await mock.getEntries(["a", "b"]);
    mock.expectCalls(["clear"], ["getEntries"]);
  });
});

describe("expectations", () => {
  test("give the call that meets them", async () => {
    const mock = users();
    await mock.put("k", ada, { ttl: 1000, metadata: { from: "test" } });
    await mock.delete("k");
    expect(mock.expectPut("k").outcome).toBe("resolved");
    expect(mock.expectPut("k", { name: "Ada" }, { ttl: 1000 }).key).toBe("k");
    expect(mock.expectDelete("k").key).toBe("k");
    expect(mock.expectCall("put", "k", 1).key).toBe("k");
    expect(mock.expectCall("put", ({ options }) => options !== undefined).key).toBe("k");
    mock.expectNoCall("get");
    mock.expectNoCall("put", "other");
    mock.expectCalls(["put", "k"], ["delete", "k"]);
  });

  test("say what was expected and what came instead", async () => {
    const mock = users();
    await mock.put("user:1", { name: "Bob" }, { ttl: 5000 });
    await mock.get("user:1");
    expect(message(() => mock.expectPut("user:1", ada))).toBe(
      [
        'Expected a put of "user:1" {"name":"Ada"}.',
        "The calls were:",
        '  1. put "user:1" {"name":"Bob"} with {"ttl":5000}: resolved',
        '  2. get "user:1": resolved',
      ].join("\n"),
    );
    expect(message(() => mock.expectPut("user:1", undefined, { ttl: 1 }))).toContain('with {"ttl":1}');
    expect(message(() => mock.expectDelete("user:1"))).toContain('Expected a delete of "user:1".');
    expect(message(() => mock.expectCall("get", "user:1", 2))).toContain('get for "user:1", 2 times; it came 1 times');
    expect(message(() => mock.expectNoCall("get"))).toContain("Expected no call of get.");
    expect(message(() => mock.expectCalls(["get", "user:1"]))).toContain('Expected the calls:\n  1. get "user:1"\nThe calls were:');
    expect(message(() => users().expectCall("get"))).toContain("There were no calls.");
  });

  test("show bytes as text where they are text", async () => {
    const mock = mockStorage();
    await mock.put("text", bytes("hello"));
    await mock.put("binary", Uint8Array.of(0, 255));
    const shown = message(() => mock.expectNoCall());
    expect(shown).toContain('put "text" 5 bytes "hello"');
    expect(shown).toContain('put "binary" 2 bytes 00 ff');
  });

  test("find scripts for calls that never came", async () => {
    const mock = users();
    mock.on("get", "k").fails("denied", { times: 2 });
    mock.on("put").delays(5);
    mock.on("has").returns(true);
    await mock.get("k").catch(() => {});
    await mock.has("k");
    expect(message(() => mock.expectScriptsUsed())).toContain(
      'Expected every script to be used:\n  get "k" fails: came 1 of 2 times\n  put delays: never came\n',
    );
    await mock.get("k").catch(() => {});
    const put = mock.put("k", ada);
    await mock.clock.advance(5);
    await put;
    mock.expectScriptsUsed();
  });

  test("are plain errors, which every runner knows", () => {
    const error = caught(() => users().expectPut("k"));
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(StorageError);
  });
});

async function collect(storage: ByteStorage, key: string): Promise<{ text: string; error: unknown }> {
  const entry = await storage.read(key);
  let text = "";
  try {
    for await (const chunk of entry!.value) text += new TextDecoder().decode(chunk);
  } catch (error) {
    return { text, error };
  }
  return { text, error: undefined };
}

function endless(): { readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>; cancelled(): boolean } {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(Uint8Array.of(1)),
    cancel: () => void (cancelled = true),
  });
  return { stream, cancelled: () => cancelled };
}

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown.");
}

function message(work: () => unknown): string {
  return (caught(work) as Error).message;
}
