import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { ByteSource, Bytes } from "@stowage/core";
import * as fc from "fast-check";
import { causeOf, describe, equal, failure, refuses, rejects, turn } from "../assertions.ts";
import { property } from "../property.ts";
import type { ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { bytesOf, text } from "../samples.ts";
import { trackedSource } from "../sources.ts";

const whole = bytesOf(150_001);
const parts: readonly Bytes[] = [whole.slice(0, 10), whole.slice(10, 100_000), whole.slice(100_000)];

/** Streams into a storage. */
export const writing: readonly ContractPromise[] = section(11, {
  "write stores what a stream gives": needs("streams", (context) => stores(context, trackedSource(parts).stream())),
  "write stores what an iterable gives": needs("streams", (context) => stores(context, trackedSource(parts).iterable())),
  "write stores what a generator gives": needs("streams", (context) => stores(context, generate(parts))),
  "write stores a Blob": needs("streams", (context) => stores(context, new Blob([whole]))),
  "write stores what a function gives as a stream": needs("streams", (context) => stores(context, () => trackedSource(parts).stream())),
  "write stores what a function gives as an iterable": needs("streams", (context) => stores(context, () => generate(parts))),
  "write of a source without bytes stores an empty value": needs("streams", async ({ bytes }) => {
    const empty: readonly ByteSource[] = [trackedSource([]).stream(), trackedSource([]).iterable(), new Blob([]), () => generate([])];
    for (const [index, source] of empty.entries()) {
      await bytes.write(`key-${index}`, source);
      equal(await bytes.get(`key-${index}`), new Uint8Array(0));
    }
  }),
  "write takes chunks of any kind": needs("streams", async ({ bytes }) => {
    const chunks = [Buffer.from("from the pool"), new Uint8Array(0), text("--middle--").subarray(2, 8), new Uint8Array(0), text("end")];
    await bytes.write("key", generate(chunks));
    equal(await bytes.get("key"), text("from the poolmiddleend"));
  }),
  "write takes any way to cut a value": needs("streams", async ({ bytes }) => {
    await property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 }), async (chunks) => {
      await bytes.write("key", generate(chunks));
      equal(await bytes.get("key"), new Uint8Array(await new Blob(chunks).arrayBuffer()));
    });
  }),
  "write takes a value above a megabyte in large chunks": needs("streams", async ({ bytes }) => {
    const large = bytesOf(1_300_003);
    await bytes.write("key", generate([large.slice(0, 1_200_000), large.slice(1_200_000)]));
    equal(await bytes.get("key"), large);
  }),
  "write replaces value, metadata and all": needs("streams", async ({ bytes, capabilities }) => {
    await bytes.write("key", new Blob(["a longer first value"]), capabilities.metadata ? { metadata: { name: "text" } } : {});
    await bytes.write("key", new Blob(["short"]));
    equal(await bytes.get("key"), text("short"));
    equal({ ...(await bytes.head("key"))?.metadata }, {}, "The metadata");
  }),
  "write gives what head tells afterwards": needs("streams", async ({ bytes }) => {
    const info = await bytes.write("key", new Blob([whole]));
    const head = await bytes.head("key");
    equal(info.key, "key", "The key");
    for (const told of [info.size, head?.size]) if (told !== undefined) equal(told, whole.length, "The size");
    if (info.modifiedAt !== undefined && head?.modifiedAt !== undefined) equal(info.modifiedAt, head.modifiedAt, "modifiedAt");
  }),
  "write takes the size that its source gives": needs("streams", async ({ bytes }) => {
    await bytes.write("key", generate(parts), { size: whole.length });
    equal(await bytes.get("key"), whole);
    await bytes.write("empty", generate([]), { size: 0 });
    equal(await bytes.get("empty"), new Uint8Array(0));
  }),
  "write reads its source once": needs("streams", async ({ bytes }) => {
    let opened = 0;
    await bytes.write("key", () => {
      opened++;
      return generate(parts);
    });
    equal(opened, 1, "How often the source was opened");
  }),
  "write takes all that its source gives": needs("streams", async ({ bytes }) => {
    const source = trackedSource(parts);
    await bytes.write("key", source.iterable());
    equal(source.taken, parts.length, "The chunks that were taken");
  }),
  "write refuses what is no source": needs("streams", async (context) => {
    for (const wrong of ["text", 1, null, undefined, {}, new ArrayBuffer(4)]) {
      await refuses(context, () => context.bytes.write("key", wrong as ByteSource), "invalid-value");
    }
    equal(await context.bytes.has("key"), false, "has");
  }),
  "write refuses a chunk that is not bytes, and stores nothing": needs("streams", async ({ bytes }) => {
    for (const wrong of ["text", 1, null, new ArrayBuffer(4), new Uint16Array(4)]) {
      const source = trackedSource([bytesOf(10), wrong as unknown as Bytes, bytesOf(10)], { hangs: true });
      await rejects(() => bytes.write("key", source.iterable()), "invalid-value");
      await turn();
      assert.ok(source.cancelled, "The source must be cancelled.");
    }
    equal(await bytes.has("key"), false, "has");
  }),
  "write fails with what a source throws when it is opened": needs("streams", async ({ bytes }) => {
    const broken = new Error("cannot be opened");
    const source = (): never => {
      throw broken;
    };
    const error = await failure(() => bytes.write("key", source));
    assert.ok(error === broken || causeOf(error) === broken, `The source's error must arrive, got ${describe(error)}.`);
    equal(await bytes.has("key"), false, "has");
  }),
  "write that is refused for its key cancels its source": needs("streams", async (context) => {
    await cancels(context, "", {}, "invalid-key");
    await cancels(context, "nul\0", {}, "invalid-key");
  }),
  "write that is refused for its options cancels its source": needs("streams", async (context) => {
    await cancels(context, "key", { ttl: 1, expiresAt: 1 }, "invalid-option");
  }),
  "write whose condition fails cancels its source": needs(["streams", "create", "stream"], async (context) => {
    await context.bytes.put("key", context.value(0) as Uint8Array);
    for (const form of ["stream", "iterable"] as const) {
      const source = trackedSource([bytesOf(10)], { hangs: true });
      const refused = rejects(
        () => context.bytes.write("key", source[form](), { ifNoneMatch: "*", signal: AbortSignal.timeout(context.patience) }),
        "precondition-failed",
      );
      await refused;
      await turn();
      assert.ok(source.cancelled, "The source must be cancelled.");
    }
  }),
  "write into a closed storage cancels its source": needs("streams", async (context) => {
    await context.storage.close();
    await cancels(context, "key", {}, "closed");
  }),
  "a source that fails while it is cancelled harms nobody": needs("streams", async ({ bytes }) => {
    const source = new ReadableStream<Bytes>({
      cancel() {
        throw new Error("cannot be cancelled");
      },
    });
    const iterable: AsyncIterable<Bytes> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: bytesOf(1) }),
        return() {
          throw new Error("cannot be cancelled");
        },
      }),
    };
    await rejects(() => bytes.write("", source), "invalid-key");
    await rejects(() => bytes.write("", iterable), "invalid-key");
    await rejects(() => bytes.write("key", iterable, { size: 2 }), "invalid-value");
    await turn();
  }),
});

async function stores({ bytes }: ContractContext, source: ByteSource): Promise<void> {
  await bytes.write("key", source);
  equal(await bytes.get("key"), whole);
}

async function cancels(
  context: ContractContext,
  key: string,
  options: object,
  code: "invalid-key" | "invalid-option" | "closed",
): Promise<void> {
  for (const form of ["stream", "iterable"] as const) {
    const source = trackedSource([bytesOf(10)]);
    await rejects(() => context.bytes.write(key, source[form](), options), code);
    await turn();
    assert.ok(source.cancelled, `A source that is ${form === "stream" ? "a stream" : "an iterable"} must be cancelled.`);
    assert.equal(source.taken, 0, "A refused write reads nothing.");
  }
}

async function* generate(chunks: readonly Bytes[]): AsyncGenerator<Bytes> {
  yield* chunks;
}
