import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { bytesOf, textOf, TrackedSource } from "../../test/map-storage.ts";
import { concatBytes } from "./bytes.ts";
import type { Bytes, ByteSource } from "./contract.ts";
import { cancelSource, checkSource, isRepeatable, openSource, readSource, untilAborted, whenAborted } from "./sources.ts";
import { tappedSource } from "./tapped-source.ts";

async function* chunks(): AsyncGenerator<Bytes> {
  yield bytesOf("a");
  yield bytesOf("b");
}

async function readAll(source: ByteSource, signal?: AbortSignal): Promise<string | undefined> {
  const all: Uint8Array[] = [];
  for await (const chunk of readSource(source, signal)) all.push(chunk);
  return textOf(concatBytes(all));
}

test("a stream, an iterable, a Blob and functions that make one are sources", async () => {
  const sources: ByteSource[] = [
    new TrackedSource(["a", "b"]).stream,
    chunks(),
    new Blob(["ab"]),
    () => chunks(),
    () => new TrackedSource(["a", "b"]).stream,
    Readable.from([Buffer.from("a"), Buffer.from("b")]),
  ];
  for (const source of sources) {
    checkSource(source, "map");
    expect(await readAll(source)).toBe("ab");
  }
});

test("a Blob and a function can be read again, a stream and an iterable cannot", () => {
  expect([new Blob([]), chunks].map(isRepeatable)).toEqual([true, true]);
  expect([new TrackedSource([]).stream, chunks()].map(isRepeatable)).toEqual([false, false]);
});

test("what is no source is refused, and so is a stream that somebody reads", () => {
  const locked = new TrackedSource([]).stream;
  locked.getReader();
  for (const source of ["text", undefined, null, 1, {}, Uint8Array.of(1), locked]) {
    expect(() => checkSource(source, "map", "key")).toThrow(
      expect.objectContaining({ code: "invalid-value", operation: "write", key: "key" }),
    );
  }
});

test("a function that makes no source is refused when it is opened", () => {
  for (const made of [undefined, "text", Promise.resolve(chunks())]) {
    expect(() => openSource((() => made) as never)).toThrow(expect.objectContaining({ code: "invalid-value" }));
  }
});

test("a chunk that is not bytes is refused and the source cancelled", async () => {
  let cancelled = false;
  const source = new ReadableStream({ pull: (controller) => controller.enqueue("text"), cancel: () => void (cancelled = true) });
  await expect(readAll(source as ReadableStream<Bytes>)).rejects.toMatchObject({ code: "invalid-value" });
  expect(cancelled).toBe(true);
});

test("a reader that stops early cancels the source", async () => {
  const source = new TrackedSource(["a", "b", "c"]);
  for await (const chunk of readSource(source.stream)) if (textOf(chunk) === "b") break;
  expect(source.isCancelled).toBe(true);
});

test("a source that was read to its end is not cancelled", async () => {
  const source = new TrackedSource(["a"]);
  await readAll(source.stream);
  expect(source.isCancelled).toBe(false);
});

test("the failure of a source arrives as it is", async () => {
  const failure = new Error("disk on fire");
  const failing = (async function* (): AsyncGenerator<Bytes> {
    yield bytesOf("a");
    throw failure;
  })();
  await expect(readAll(failing)).rejects.toBe(failure);
  await expect(
    readAll(() => {
      throw failure;
    }),
  ).rejects.toBe(failure);
});

test("a Node stream that fails before it is read ends no process, and whoever reads it is told", async () => {
  const failure = new Error("No such file.");
  const unheard = (): Readable => {
    const stream = new Readable({ read() {} });
    queueMicrotask(() => stream.destroy(failure));
    return stream;
  };
  const thrown: unknown[] = [];
  const listen = (error: unknown): void => void thrown.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", listen);
  try {
    const control = unheard();
    await expect.poll(() => control.closed).toBe(true);
    await expect.poll(() => thrown).toEqual([failure]);
    const stream = unheard();
    checkSource(stream, "test");
    await expect.poll(() => stream.closed).toBe(true);
    await expect(readAll(stream)).rejects.toBe(failure);
    expect(thrown).toEqual([failure]);
  } finally {
    process.off("uncaughtException", listen);
    for (const other of others) process.on("uncaughtException", other);
  }
});

test("an abort ends a source that hangs, with the reason as it is, and cancels it", async () => {
  const abort = new AbortController();
  const reason = new Error("enough");
  let cancelled: unknown;
  const hanging = new ReadableStream<Bytes>({ cancel: (why) => void (cancelled = why) });
  const reading = readAll(hanging, abort.signal);
  abort.abort(reason);
  await expect(reading).rejects.toBe(reason);
  expect(cancelled).toBe(reason);
});

test("an abort between two chunks ends a source", async () => {
  const abort = new AbortController();
  const source = new TrackedSource(["a", "b"]);
  const reading = readSource(source.stream, abort.signal);
  await reading.next();
  abort.abort(new Error("enough"));
  await expect(reading.next()).rejects.toThrow("enough");
  expect(source.isCancelled).toBe(true);
});

test("an aborted signal cancels a source that was never opened", async () => {
  const source = new TrackedSource(["a"]);
  await expect(readAll(source.stream, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  expect(source).toMatchObject({ isCancelled: true, pulled: 0 });
});

test("a source that nobody read is let go, whatever it is", async () => {
  const tracked = new TrackedSource(["a"]);
  const node = Readable.from([Buffer.from("a")]);
  const reason = new Error("refused");
  for (const source of [tracked.stream, node, chunks(), new Blob([]), chunks, undefined, "text", {}])
    cancelSource(source as ByteSource, reason);
  expect(tracked.cancelled).toBe(reason);
  expect(node.destroyed).toBe(true);
});

test("letting go of a locked stream leaves its reader alone", () => {
  const source = new TrackedSource(["a"]);
  source.stream.getReader();
  cancelSource(source.stream);
  expect(source.isCancelled).toBe(false);
});

test("a tap sees each chunk, anew each time the source is opened", async () => {
  const seen: string[] = [];
  const tapped = tappedSource(new Blob(["ab"]), () => (chunk) => void seen.push(`${textOf(chunk)}`));
  expect(isRepeatable(tapped)).toBe(true);
  expect([await readAll(tapped), await readAll(tapped)]).toEqual(["ab", "ab"]);
  expect(seen).toEqual(["ab", "ab"]);
});

test("a tap that throws ends the source and cancels what is behind it", async () => {
  const source = new TrackedSource(["a", "b"]);
  const tapped = tappedSource(source.stream, () => () => {
    throw new Error("too much");
  });
  await expect(readAll(tapped)).rejects.toThrow("too much");
  expect(source.isCancelled).toBe(true);
});

test("a tapped source that nobody read cancels what is behind it", () => {
  const source = new TrackedSource(["a"]);
  cancelSource(
    tappedSource(source.stream, () => () => {}),
    new Error("refused"),
  );
  expect(source.cancelled).toEqual(new Error("refused"));
});

test("a wait ends with the promise or with the signal, whichever is first", async () => {
  const abort = new AbortController();
  expect(await untilAborted(Promise.resolve(1), abort.signal)).toBe(1);
  const waiting = untilAborted(new Promise(() => {}), abort.signal);
  const { promise, dispose } = whenAborted(abort.signal);
  abort.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(promise).rejects.toThrow("enough");
  dispose();
  await expect(untilAborted(new Promise(() => {}), abort.signal)).rejects.toThrow("enough");
});
