import type { Bytes, ByteStorage, PutOptions } from "@stowage/core";
import { concatBytes, crc32, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { envelope } from "./envelope.ts";
import { blockSize, setUint32 } from "./format.ts";
import { Below, bytesOf, chunksOf, codeOf, collect, same } from "./testing/samples.ts";

const key = "the/key";

interface Subject {
  readonly below: Below;
  readonly storage: ByteStorage;
  readonly value: Bytes;
  readonly stored: Bytes;
}

async function subject(size: number, options: PutOptions = {}): Promise<Subject> {
  const below = new Below(memoryStorage(), { streams: "native" });
  const storage = envelope()(below);
  const value = bytesOf(size);
  await storage.put(key, value, options);
  return { below, storage, value, stored: (await below.get(key))! };
}

/** What each way to read makes of stored bytes: the code of its error, or whether what it gives is right. */
async function readings({ below, storage, value }: Subject, stored: Bytes): Promise<Record<string, string>> {
  await below.put(key, stored);
  const right = (found: Uint8Array | undefined, expected: Bytes): string => (same(found, expected) ? "right" : "wrong");
  const ways: Record<string, () => Promise<string>> = {
    get: async () => right(await storage.get(key), value),
    getEntry: async () => right((await storage.getEntry(key))?.value, value),
    read: async () => right(await collect(await storage.read(key)), value),
    front: async () => right(await collect(await storage.read(key, { end: 9 })), value.slice(0, 9)),
    end: async () => right(await collect(await storage.read(key, { start: -9 })), value.slice(-9)),
    head: async () => ((await storage.head(key))?.size === value.byteLength ? "right" : "wrong"),
  };
  const found: Record<string, string> = {};
  for (const [way, read] of Object.entries(ways)) {
    found[way] = await read().catch((error: unknown) => {
      if (!StorageError.is(error)) throw error;
      expect([error.key, error.message.includes(key)]).toEqual([key, false]);
      return error.code;
    });
  }
  return found;
}

const wholeReads = ["get", "getEntry", "read"] as const;

/** Fails unless each whole read finds the damage, and each read of a part finds it or does not touch it. */
function expectFound(found: Record<string, string>, where: string, codes: readonly string[] = ["corrupt"]): void {
  for (const way of wholeReads) expect(codes, `${way} with ${where}`).toContain(found[way]);
  for (const way of ["front", "end"]) expect([...codes, "right"], `${way} with ${where}`).toContain(found[way]);
}

const labelled: PutOptions = { expiresAt: 4_000_000_000_000, metadata: { "content-type": "text/plain", author: "Ada" } };

for (const [name, size, options] of [
  ["an empty value", 0, {}],
  ["a small value", 40, {}],
  ["a small value with expiry and metadata", 40, labelled],
] as const) {
  test(`${name}: every changed byte is found by every whole read, and each in the header by head too`, async () => {
    const one = await subject(size, options);
    const headerSize = one.stored.byteLength - size - 4;
    for (let at = 0; at < one.stored.byteLength; at++) {
      const before = one.stored[at]!;
      for (const value of new Set([0, 0xff, ...Array.from({ length: 8 }, (_, bit) => before ^ (1 << bit))])) {
        if (value === before) continue;
        const damaged = one.stored.slice();
        damaged[at] = value;
        const codes = at === 13 ? ["unsupported"] : ["corrupt"]; // the byte with the version
        const found = await readings(one, damaged);
        expectFound(found, `byte ${at} as ${value}`, codes);
        if (at < headerSize) expect(codes, `head with byte ${at}`).toContain(found["head"]);
      }
    }
  }, 30_000);

  test(`${name}: every value that was cut off or goes on is found`, async () => {
    const one = await subject(size, options);
    for (let length = 0; length < one.stored.byteLength; length++)
      expectFound(await readings(one, one.stored.slice(0, length)), `${length} bytes`);
    for (const more of [new Uint8Array(1), new Uint8Array(4), one.stored]) {
      expectFound(await readings(one, concatBytes([one.stored, more])), `${more.byteLength} bytes more`);
    }
  });
}

const stride = blockSize + 4;
const blockAt = (stored: Bytes, index: number): Bytes => stored.subarray(30 + index * stride, 30 + (index + 1) * stride);

test("a large value: a flipped bit anywhere is found by whole reads, and by a part exactly where it touches the block", async () => {
  const one = await subject(3 * blockSize + 1_000);
  const positions = [
    ...Array.from({ length: 60 }, (_, index) => index * 3_301),
    30 + stride - 1,
    30 + stride,
    30 + stride - 4,
    one.stored.byteLength - 1,
  ];
  for (const at of positions) {
    const damaged = one.stored.slice();
    damaged[at] = damaged[at]! ^ (1 << (at % 8));
    expectFound(await readings(one, damaged), `byte ${at}`, at === 13 ? ["unsupported"] : ["corrupt"]);
    if (at < 34) continue;
    const block = Math.floor((at - 30) / stride);
    const inChecksum = (at - 30) % stride >= blockSize;
    for (let part = 0; part < 4; part++) {
      const code = await codeOf(one.storage.read(key, { start: part * blockSize + 5, end: part * blockSize + 10 }).then(collect));
      const touched = part === block || (inChecksum && part === block + 1); // a block is checked from the checksum before it on
      expect(code, `block ${part} with byte ${at}`).toBe(touched ? "corrupt" : undefined);
    }
  }
});

test("a large value: what was cut off, at the end of a block too, is found by whole reads and by the part that reaches the end", async () => {
  const one = await subject(3 * blockSize);
  for (const length of [
    30,
    34,
    30 + stride,
    30 + stride - 4,
    30 + 2 * stride,
    30 + 2 * stride + 1,
    30 + 2 * stride + 4,
    one.stored.byteLength - 1,
    one.stored.byteLength - 4,
  ]) {
    const found = await readings(one, one.stored.slice(0, length));
    expectFound(found, `${length} bytes`);
    expect(found["end"], `the end with ${length} bytes`).toBe("corrupt");
  }
});

test("blocks that are swapped, dropped, repeated, or of another version of the value are found", async () => {
  const one = await subject(3 * blockSize);
  const other = await subject(3 * blockSize, { metadata: { version: "2" } });
  const old = await subject(3 * blockSize);
  await old.storage.put(key, bytesOf(3 * blockSize, 2));
  const before = (await old.below.get(key))!;
  const header = one.stored.slice(0, 30);
  const [a, b, c] = [0, 1, 2].map((index) => blockAt(one.stored, index)) as [Bytes, Bytes, Bytes];
  for (const [name, parts] of Object.entries({
    swapped: [header, b, a, c],
    dropped: [header, a, c],
    repeated: [header, a, a, b, c],
    "half old": [header, a, blockAt(before, 1), blockAt(before, 2)],
    "half new": [before.slice(0, 30), blockAt(before, 0), b, c],
    "the header of another": [other.stored.slice(0, other.stored.byteLength - 3 * stride), a, b, c],
  })) {
    const found = await readings(one, concatBytes(parts));
    for (const way of wholeReads) expect(found[way], `${way} of ${name}`).toBe("corrupt");
  }
  expect(await readings(one, concatBytes([header, a, b, c]))).toEqual({
    get: "right",
    getEntry: "right",
    read: "right",
    front: "right",
    end: "right",
    head: "right",
  });
});

test("memory that was zeroed, at the end or as a whole, is found", async () => {
  for (const size of [40, 2 * blockSize]) {
    const one = await subject(size);
    for (const from of [0, 30, one.stored.byteLength - 40])
      expectFound(await readings(one, one.stored.slice().fill(0, from)), `zeros from ${from}`);
  }
});

test("the message says which bytes are damaged", async () => {
  const one = await subject(3 * blockSize);
  const damaged = one.stored.slice();
  damaged[30 + stride + 77] = damaged[30 + stride + 77]! ^ 1;
  await one.below.put(key, damaged);
  for (const call of [() => one.storage.get(key), () => one.storage.read(key).then(collect)]) {
    await expect(call()).rejects.toMatchObject({
      message: "The stored value is damaged: its bytes 65536 to 131072 do not have their checksum.",
      key,
    });
  }
});

/** A header that says what it likes, under a checksum that is right. */
function hostile(change: (header: Bytes, view: DataView) => void, rest: Bytes = bytesOf(100)): Bytes {
  const header = new Uint8Array(26);
  header.set([0x89, 0x53, 0x54, 0x57, 8, ...new TextEncoder().encode("envelope"), 1, 0, 16]);
  change(header, new DataView(header.buffer));
  const checked = concatBytes([header, rest]);
  const length = header[16]! | (header[17]! << 8);
  if (26 + length + 4 <= checked.byteLength) setUint32(checked, 26 + length, crc32(checked.subarray(0, 26 + length)));
  return checked;
}

test("headers that make no sense are refused, though their checksum is right, and nothing is made room for by what they say", async () => {
  const one = await subject(10);
  const cases: Record<string, [Bytes, string]> = {
    "longer metadata than there is": [hostile((header) => header.fill(0xff, 16, 18)), "corrupt"],
    "metadata that ends within a text": [hostile((header) => (header[16] = 3), Uint8Array.of(9, 0, 65, 0, 0, 0, 0, 1, 1, 1, 1)), "corrupt"],
    "a name without a value": [hostile((header) => (header[16] = 3), Uint8Array.of(1, 0, 65, 0, 0, 0, 0, 1, 1, 1, 1)), "corrupt"],
    "a text that is not UTF-8": [
      hostile((header) => (header[16] = 6), Uint8Array.of(1, 0, 65, 1, 0, 0xff, 0, 0, 0, 0, 1, 1, 1, 1)),
      "corrupt",
    ],
    "an expiry that is no number": [hostile((header, view) => ((header[14] = 1), view.setFloat64(18, Number.NaN, true))), "corrupt"],
    "an endless expiry": [hostile((header, view) => ((header[14] = 1), view.setFloat64(18, Infinity, true))), "corrupt"],
    "an expiry before all time": [hostile((header, view) => ((header[14] = 1), view.setFloat64(18, -1, true))), "corrupt"],
    "flags of a later version": [hostile((header) => (header[14] = 2)), "unsupported"],
    "blocks of 2 GiB": [hostile((header) => (header[15] = 31)), "unsupported"],
    "blocks of one byte": [hostile((header) => (header[15] = 0)), "unsupported"],
    "blocks of 16 MiB that are not there": [hostile((header) => (header[15] = 24)), "corrupt"],
  };
  for (const [name, [stored, code]] of Object.entries(cases)) {
    const before = process.memoryUsage().arrayBuffers;
    const found = await readings(one, stored);
    for (const way of wholeReads) expect(found[way], `${way} of ${name}`).toBe(code);
    expect(process.memoryUsage().arrayBuffers - before, name).toBeLessThan(4 * 2 ** 20);
  }
});

test("a stream that breaks off below is its error, and what came before was checked", async () => {
  const one = await subject(3 * blockSize);
  const stream = (await one.storage.read(key))!.value;
  await one.below.put(key, bytesOf(5));
  expect(same(await collect({ key, value: stream }), one.value)).toBe(true); // of the version that was opened
  await one.storage.write(key, chunksOf(one.value));
  const damaged = (await one.below.get(key))!;
  damaged[30 + 2 * stride + 5] = damaged[30 + 2 * stride + 5]! ^ 4;
  await one.below.put(key, damaged);
  const given: Bytes[] = [];
  const reading = (async () => {
    for await (const chunk of (await one.storage.read(key))!.value) given.push(chunk);
  })();
  expect(await codeOf(reading)).toBe("corrupt");
  expect(same(concatBytes(given), one.value.slice(0, 2 * blockSize))).toBe(true);
});
