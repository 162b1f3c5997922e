import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { Bytes, ByteStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { encrypted } from "./index.ts";
import type { Agreed } from "./testing/by-the-document.ts";
import { readByTheDocument, Refused, writeByTheDocument } from "./testing/by-the-document.ts";
import { bytesOf, collect, same, Streaming } from "./testing/set-up.ts";

/** Stored values as released versions wrote them. They are never written again: new ones are added. */
const folder = new URL("../vectors/", import.meta.url);

interface FrozenValue {
  readonly name: string;
  /** The name under which it is stored. */
  readonly key: string;
  readonly context: string;
  readonly keyId: string;
  readonly suite: number;
  readonly size: number;
  /** SHA-256 of the value, and of what is stored. */
  readonly plain: string;
  readonly stored: string;
}

/** A frozen value with one fault. */
interface FrozenFault {
  readonly name: string;
  /** The name of the value. */
  readonly base: string;
  /** Applied one after the other: so many bytes are removed there, and others, in hex, put in their place. */
  readonly splices: readonly { readonly at: number; readonly remove: number; readonly insert: string }[];
  /** What the reader expects, where it is something else. */
  readonly key?: string;
  readonly context?: string;
  readonly keys?: readonly string[];
  readonly error: string;
}

interface Vectors {
  readonly keys: Readonly<Record<string, string>>;
  readonly values: readonly FrozenValue[];
  readonly faults: readonly FrozenFault[];
}

const vectors = JSON.parse(readFileSync(new URL("vectors.json", folder), "utf8")) as Vectors;
const keys = Object.fromEntries(Object.entries(vectors.keys).map(([id, hex]) => [id, new Uint8Array(Buffer.from(hex, "hex"))]));
const sha256 = (data: Uint8Array | string): Bytes => new Uint8Array(createHash("sha256").update(data).digest());
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** What is stored: from its file; large ones are written again, and compared by their hash. */
function storedOf(value: FrozenValue): Bytes {
  const file = new URL(`${value.name}.bin`, folder);
  const stored = existsSync(file) ? new Uint8Array(readFileSync(file)) : writtenAgain(value);
  expect(hexOf(sha256(stored))).toBe(value.stored);
  return stored;
}

function writtenAgain({ name, key, context, keyId, suite, size }: FrozenValue): Bytes {
  const choices = { keyId, suite, dataKey: sha256(`data key of ${name}`), nonce: sha256(`nonce of ${name}`).subarray(0, 24) };
  return writeByTheDocument(bytesOf(size), { keys, context, name: key }, choices);
}

async function reader(stored: Bytes, { keys: ring, context, name }: Agreed): Promise<ByteStorage> {
  const memory = new Streaming(memoryStorage());
  await memory.put(name, stored);
  return encrypted({ keys: Object.entries(ring).map(([id, secret]) => ({ id, secret })), context })(memory);
}

for (const value of vectors.values) {
  test(`the frozen value ${value.name} is read, whole, as a stream and in part, and by a reader written from the document`, async () => {
    const stored = storedOf(value);
    const agreed: Agreed = { keys, context: value.context, name: value.key };
    const storage = await reader(stored, agreed);
    const plain = await storage.get(value.key);
    expect(plain?.byteLength).toBe(value.size);
    expect(hexOf(sha256(plain as Bytes))).toBe(value.plain);
    const entry = await storage.read(value.key);
    expect(entry?.size).toBe(value.size);
    expect(same(await collect(entry), plain as Bytes)).toBe(true);
    expect(same(await collect(await storage.read(value.key, { start: -40, end: -20 })), (plain as Bytes).slice(-40, -20))).toBe(true);
    expect(same(readByTheDocument(stored, agreed), plain as Bytes)).toBe(true);
    expect(same(writtenAgain(value), stored)).toBe(true);
  });
}

for (const fault of vectors.faults) {
  test(`${fault.name}: refused as ${fault.error}`, async () => {
    const value = vectors.values.find(({ name }) => name === fault.base) as FrozenValue;
    let stored = storedOf(value);
    for (const { at, remove, insert } of fault.splices) {
      stored = new Uint8Array(Buffer.concat([stored.subarray(0, at), Buffer.from(insert, "hex"), stored.subarray(at + remove)]));
    }
    const ring = Object.fromEntries((fault.keys ?? Object.keys(keys)).map((id) => [id, keys[id] as Bytes]));
    const agreed: Agreed = { keys: ring, context: fault.context ?? value.context, name: fault.key ?? value.key };
    const storage = await reader(stored, agreed);
    const failed = (error: unknown): unknown => error;
    expect(await storage.get(agreed.name).catch(failed)).toMatchObject({ code: fault.error });
    expect(await storage.read(agreed.name).then(collect).catch(failed)).toMatchObject({ code: fault.error });
    expect(() => readByTheDocument(stored, agreed)).toThrow(new Refused(fault.error));
  });
}

test("there are at least 60 frozen faults, with every code", () => {
  expect(vectors.faults.length).toBeGreaterThanOrEqual(60);
  expect(new Set(vectors.faults.map(({ error }) => error))).toEqual(
    new Set(["corrupt", "unsupported", "unknown-key", "wrong-key", "tampered"]),
  );
});
