import assert from "node:assert/strict";
import type { ByteStorage, Storage } from "@stowage/core";
import { concatBytes, makeHeader, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import * as fc from "fast-check";
import { describe, equal, rejects } from "../assertions.ts";
import type { CodecSubject } from "../describe-codec.ts";
import { property } from "../property.ts";
import { damage } from "../samples.ts";

/** One sentence about a codec, and the check that proves it. */
export interface CodecPromise {
  readonly name: string;
  run(): Promise<void>;
}

const runs = 100;

/** What a codec promises beyond a layer. */
export function codecPromises<V>(subject: CodecSubject<V>): readonly CodecPromise[] {
  const { arbitrary, corrupt = [Uint8Array.of(0xff, 0xfe, 0xfd)], refused = [] } = subject;
  return [
    promise("any value comes back", async () => {
      const { values } = open(subject);
      await property(arbitrary, async (value) => isSame(subject, await storeAndGet(values, value), value), runs);
    }),
    promise("any value comes back by every way to get it", async () => {
      const { values } = open(subject);
      await property(arbitrary, async (value) => {
        await values.batch([{ type: "put", key: "key", value }]);
        isSame(subject, (await values.getEntry("key"))?.value, value);
        isSame(subject, (await values.getEntries(["key"]))[0]?.value, value);
      });
    }),
    promise("any value comes back after it was stored as bytes elsewhere", async () => {
      const [from, to] = [open(subject), open(subject)];
      await property(arbitrary, async (value) => {
        await from.values.put("key", value);
        await to.bytes.put("copy", (await from.bytes.get("key"))!);
        isSame(subject, await to.values.get("copy"), value);
      });
    }),
    promise("what is stored are plain bytes", async () => {
      const { values, bytes } = open(subject);
      await property(arbitrary, async (value) => {
        await values.put("key", value);
        assert.ok((await bytes.get("key")) instanceof Uint8Array, "The codec must store bytes.");
      });
    }),
    promise("a value that was got can be changed without harm", async () => {
      const { values } = open(subject);
      await property(arbitrary, async (value) => {
        damage(await storeAndGet(values, value));
        isSame(subject, await values.get("key"), value);
      });
    }),
    promise("undefined and what has no encoded form is refused", async () => {
      const { values, bytes } = open(subject);
      for (const wrong of [undefined, ...refused]) {
        await rejects(() => values.put("key", wrong as V), "invalid-value");
        equal(await bytes.has("key"), false, "has");
      }
    }),
    promise("bytes that nothing encodes to are corrupt", async () => {
      const { values, bytes } = open(subject);
      for (const wrong of corrupt) {
        await bytes.put("key", wrong);
        for (const get of waysToGet(values)) await rejects(get, "corrupt");
        equal(await values.has("key"), true, "has");
      }
    }),
    promise("empty bytes are corrupt, or a value that is stored as empty bytes", async () => {
      const { values, bytes } = open(subject);
      await bytes.put("key", new Uint8Array(0));
      await corruptOrValue(subject, values, bytes);
    }),
    promise("cut bytes are corrupt, or a value of their own", async () => {
      const { values, bytes } = open(subject);
      await property(
        fc.tuple(arbitrary, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        async ([value, part]) => {
          await values.put("key", value);
          const stored = (await bytes.get("key"))!;
          await bytes.put("key", stored.slice(0, Math.floor(stored.byteLength * part)));
          await corruptOrValue(subject, values, bytes);
        },
        runs,
      );
    }),
    promise("any bytes are corrupt, or a value", async () => {
      const { values, bytes } = open(subject);
      await property(
        fc.uint8Array({ maxLength: 200 }),
        async (foreign) => {
          await bytes.put("key", foreign);
          await corruptOrValue(subject, values, bytes);
        },
        runs,
      );
    }),
    promise("a value that another layer wrote names the layer that is missing", async () => {
      const { values, bytes } = open(subject);
      for (const layer of ["compressed", "encrypted", "some-layer"]) {
        await bytes.put("key", concatBytes([makeHeader(layer, 1), Uint8Array.of(1, 2, 3)]));
        for (const get of waysToGet(values)) {
          const error = await rejects(get, "corrupt");
          assert.ok(error.message.includes(`"${layer}"`), `The error must name the layer "${layer}": ${error.message}`);
        }
      }
    }),
    promise("an entry that cannot be decoded can be listed, replaced and deleted", async () => {
      const { values, bytes } = open(subject);
      const [value] = fc.sample(subject.arbitrary, 1);
      await bytes.put("key", corrupt[0] ?? new Uint8Array(0));
      equal((await values.list()).entries[0]?.key, "key", "The listing");
      equal((await values.head("key"))?.key, "key", "head");
      await values.put("key", value as V);
      isSame(subject, await values.get("key"), value as V);
      await bytes.put("key", corrupt[0] ?? new Uint8Array(0));
      await values.delete("key");
      equal(await values.has("key"), false, "has");
    }),
  ];
}

const promise = (name: string, run: () => Promise<void>): CodecPromise => ({ name, run });

function open<V>({ create }: CodecSubject<V>): { readonly bytes: ByteStorage; readonly values: Storage<V> } {
  const bytes = memoryStorage();
  return { bytes, values: create()(bytes) };
}

async function storeAndGet<V>(values: Storage<V>, value: V): Promise<V | undefined> {
  await values.put("key", value);
  return await values.get("key");
}

const waysToGet = <V>(values: Storage<V>): readonly (() => Promise<unknown>)[] => [
  () => values.get("key"),
  () => values.getEntry("key"),
  () => values.getEntries(["key"]),
];

/** Stored bytes are refused as corrupt, or are a value that comes back when it is stored. */
async function corruptOrValue<V>(subject: CodecSubject<V>, values: Storage<V>, bytes: ByteStorage): Promise<void> {
  let value: V | undefined;
  try {
    value = await values.get("key");
  } catch (error) {
    assert.ok(StorageError.is(error, "corrupt"), `Bytes that are no value must be "corrupt", got ${describe(error)}.`);
    return;
  }
  assert.ok(value !== undefined, "Stored bytes are a value or corrupt, never missing.");
  const stored = (await bytes.get("key"))!;
  isSame(subject, await storeAndGet(values, value), value);
  if (stored.byteLength === 0) equal(await bytes.get("key"), stored, "What the value of empty bytes is stored as");
}

function isSame<V>({ same }: CodecSubject<V>, actual: V | undefined, expected: V): void {
  if (same === undefined) equal(actual, expected);
  else
    assert.ok(
      actual !== undefined && same(actual, expected),
      `The value differs: expected ${describe(expected)}, got ${describe(actual)}.`,
    );
}
