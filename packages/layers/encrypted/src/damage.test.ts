import type { Bytes, ByteStorage } from "@stowage/core";
import { concatBytes, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { encrypted } from "./index.ts";
import type { SuiteName } from "./index.ts";
import { bytesOf, first, mebibyte, piecesOf, second, setUp, Streaming } from "./testing/set-up.ts";

/** Tampered ciphertexts: about 2,000 in a short run, above 20,000 in a full one. */
const full = process.env["STOWAGE_EFFORT"] === "full";
const seed = Number(process.env["STOWAGE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** Numbers below a limit, the same for the same seed. */
function numbers(start: number): (limit: number) => number {
  let state = start;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

interface Subject {
  readonly memory: ByteStorage;
  readonly storage: ByteStorage;
  readonly value: Bytes;
  readonly stored: Bytes;
}

async function subject(size: number, suite: SuiteName, streamed = false): Promise<Subject> {
  const { memory, storage } = setUp({ suite, keys: [first, second], context: "test" });
  const value = bytesOf(size);
  if (streamed) await storage.write("a", piecesOf(value));
  else await storage.put("a", value);
  return { memory, storage, value, stored: (await memory.get("a")) as Bytes };
}

let tampered = 0;

/** The codes with which a get and a read refuse stored bytes. Fails where anything but the beginning of the value gets out. */
async function refusals({ memory, storage, value }: Subject, bytes: Uint8Array, where: string): Promise<[string, string]> {
  tampered++;
  await memory.put("a", bytes);
  const whole = await storage.get("a").then(
    () => expect.fail(`accepted: ${where}, seed ${seed}`),
    (error: unknown) => codeOf(error),
  );
  let released = 0;
  try {
    const entry = await storage.read("a");
    for await (const piece of entry?.value ?? []) {
      if (Buffer.compare(piece, value.subarray(released, released + piece.byteLength)) !== 0)
        expect.fail(`released: ${where}, seed ${seed}`);
      released += piece.byteLength;
    }
  } catch (error) {
    return [whole, codeOf(error)];
  }
  return expect.fail(`a stream ended well: ${where}, seed ${seed}`);
}

function codeOf(error: unknown): string {
  if (StorageError.is(error)) return error.code;
  throw error;
}

async function expectRefused(it: Subject, bytes: Uint8Array, code: string, where: string): Promise<void> {
  const found = await refusals(it, bytes, where);
  if (found.some((each) => each !== code)) expect.fail(`${where}: ${found.join(" and ")} in place of ${code}, seed ${seed}`);
}

function flipped(stored: Bytes, at: number, bit: number): Bytes {
  const bytes = stored.slice();
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
  return bytes;
}

/** What a flip in a header is found as, by its offset. */
function codeInHeader(at: number): string {
  if (at < 14) return "corrupt"; // the common header
  if (at === 14) return "unsupported"; // its version
  if (at >= 17 && at < 50) return "unknown-key"; // the id
  if (at >= 50 && at < 82) return "wrong-key"; // the commitment
  return "tampered"; // suite, chunk size, nonce, data key
}

const suites = ["xchacha20-poly1305", "aes-256-gcm"] as const;

for (const suite of suites) {
  test(`${suite}: every flipped bit of the header is found, with its code`, async () => {
    const it = await subject(300, suite);
    for (let at = 0; at < 154; at++) {
      for (let bit = at % 2; bit < 8; bit += full ? 1 : 2) {
        await expectRefused(it, flipped(it.stored, at, bit), codeInHeader(at), `bit ${bit} of byte ${at}`);
      }
    }
  });

  test(`${suite}: flipped bits of chunks are tampered, of the end corrupt`, async () => {
    const random = numbers(seed);
    for (const [size, flips] of [
      [0, 1],
      [900, 1],
      [200_000, 700],
    ] as const) {
      const it = await subject(size, suite);
      const end = it.stored.byteLength - 4;
      const step = full ? 1 : 8;
      for (let at = 154; at < end; at += size < 1000 ? step : Math.ceil((end * step) / flips) - random(3)) {
        await expectRefused(it, flipped(it.stored, at, random(8)), "tampered", `byte ${at} of ${size}`);
      }
      for (let at = end; at < it.stored.byteLength; at++)
        await expectRefused(it, flipped(it.stored, at, random(8)), "corrupt", `byte ${at}`);
    }
  });

  test(`${suite}: a value that was cut off is corrupt, wherever that was`, async () => {
    const lengths = (size: number, chunk: number): number[] => {
      const bounds = Array.from({ length: Math.ceil(size / chunk) + 1 }, (_, index) => 154 + index * (chunk + 16));
      return bounds.flatMap((bound) => [-17, -16, -5, -4, -1, 0, 1, 3, 4, 5, 15, 16, 17, 20].map((more) => bound + more));
    };
    for (const [size, chunk, streamed] of [
      [500, 65_536, false],
      [200_000, 65_536, false],
      [3 * mebibyte, mebibyte, true],
      [2 * mebibyte + 100, mebibyte, true],
    ] as const) {
      const it = await subject(size, suite, streamed);
      const first200 = Array.from({ length: full || size === 500 ? 200 : 20 }, (_, index) => index);
      for (const length of new Set([...first200, ...lengths(size, chunk), it.stored.byteLength - 1])) {
        if (length < it.stored.byteLength) await expectRefused(it, it.stored.slice(0, length), "corrupt", `${size} cut to ${length}`);
      }
    }
  });

  test(`${suite}: chunks that are dropped, doubled, swapped, or of another value are refused`, async () => {
    const size = 5 * 65_536 + 1000;
    const it = await subject(size, suite);
    const other = await subject(size, suite);
    const cut = ({ stored }: Subject): Bytes[] => [
      stored.slice(0, 154),
      ...Array.from({ length: 5 }, (_, index) => stored.slice(154 + index * 65_552, 154 + (index + 1) * 65_552)),
      stored.slice(154 + 5 * 65_552, -4),
      stored.slice(-4),
    ];
    const parts = cut(it);
    const others = cut(other);
    const refused = async (pieces: readonly Bytes[], where: string): Promise<void> => {
      const [whole, stream] = await refusals(it, concatBytes(pieces), where);
      expect(["tampered", "corrupt"], where).toContain(whole);
      expect(["tampered", "corrupt"], where).toContain(stream);
    };
    for (let a = 0; a < 8; a++) {
      await refused(parts.toSpliced(a, 1), `without part ${a}`);
      await refused(parts.toSpliced(a, 0, parts[a] as Bytes), `part ${a} twice`);
      if (a !== 7) await refused(parts.with(a, others[a] as Bytes), `part ${a} of another value`);
      for (let b = a + 1; b < 8; b++) {
        await refused(parts.with(a, parts[b] as Bytes).with(b, parts[a] as Bytes), `parts ${a} and ${b} swapped`);
        if (b - a < 7)
          await refused([...parts.slice(0, a), ...others.slice(a, b), ...parts.slice(b)], `parts ${a} to ${b} of another value`);
      }
    }
    // With the length at the end made to fit: it was no accident then.
    const shorter = (count: number): Bytes => {
      const end = new Uint8Array(4);
      new DataView(end.buffer).setUint32(0, count * 65_536, true);
      return concatBytes([...parts.slice(0, 1 + count), end]);
    };
    for (let count = 1; count <= 5; count++) await expectRefused(it, shorter(count), "tampered", `${count} chunks and an end that fits`);
  });

  test(`${suite}: bytes that follow are refused`, async () => {
    for (const size of [0, 500, 65_536, 3 * mebibyte]) {
      const it = await subject(size, suite);
      for (const more of [1, 3, 4, 15, 16, 17, 20, 158, 65_552, it.stored.byteLength]) {
        for (const tail of [new Uint8Array(more), it.stored.slice(-more)]) {
          const [whole] = await refusals(it, concatBytes([it.stored, tail]), `${more} more after ${size}`);
          expect(whole).toBe("corrupt");
        }
      }
    }
  });

  test(`${suite}: a header with another suite, chunk size or version does not make an older reader of us`, async () => {
    const it = await subject(70_000, suite);
    for (const [at, code] of [
      [14, "unsupported"],
      [15, "tampered"],
      [16, "tampered"],
    ] as const) {
      for (let to = 0; to < 256; to += full ? 1 : 5) {
        if (it.stored[at] === to) continue;
        const bytes = it.stored.slice();
        bytes[at] = to;
        await expectRefused(it, bytes, code, `byte ${at} set to ${to}`);
      }
    }
  });
}

test("headers and bodies of two versions of one entry do not mix", async () => {
  for (const suite of suites) {
    const it = await subject(1000, suite);
    const older = it.stored;
    await it.storage.put("a", it.value);
    const newer = (await it.memory.get("a")) as Bytes;
    for (const at of [106, 154, 400]) {
      await expectRefused(it, concatBytes([newer.slice(0, at), older.slice(at)]), "tampered", `cut at ${at}`);
    }
  }
});

test("random damage of any kind is refused", async () => {
  const random = numbers(seed);
  for (const suite of suites) {
    for (const [size, times] of [
      [0, 1],
      [100, 2],
      [5000, 2],
      [140_000, 0.5],
    ] as const) {
      const it = await subject(size, suite);
      for (let time = 0; time < times * (full ? 1500 : 60); time++) {
        let bytes: Bytes = it.stored.slice();
        for (let change = random(3); change >= 0; change--) {
          const at = random(bytes.byteLength);
          const kind = random(4);
          if (kind === 0) bytes[at] = random(256);
          else if (kind === 1) bytes = concatBytes([bytes.slice(0, at), bytes.slice(at + 1 + random(40))]);
          else if (kind === 2) bytes = concatBytes([bytes.slice(0, at), bytesOf(1 + random(40)), bytes.slice(at)]);
          else bytes.copyWithin(at, random(bytes.byteLength), random(bytes.byteLength));
        }
        if (Buffer.compare(bytes, it.stored) !== 0) await refusals(it, bytes, `random damage ${time} of ${size}`);
      }
    }
  }
});

test("entries that change places are tampered", async () => {
  const { memory, storage } = setUp({ keys: [first] });
  const names = Array.from({ length: full ? 40 : 12 }, (_, index) => `users/${"x".repeat(index)}`);
  for (const name of names) await storage.put(name, bytesOf(100));
  const stored = new Map(await Promise.all(names.map(async (name) => [name, (await memory.get(name)) as Bytes] as const)));
  for (const from of names) {
    for (const to of names) {
      if (from === to) continue;
      tampered++;
      await memory.put(to, stored.get(from) as Bytes);
      expect(await storage.get(to).then(() => "accepted", codeOf)).toBe("tampered");
    }
  }
});

test("negative control: what was not tampered with is accepted by the same check", async () => {
  const it = await subject(1000, "aes-256-gcm");
  await expect(refusals(it, it.stored, "nothing")).rejects.toThrow("accepted");
  const plain = new Streaming(memoryStorage());
  await expect(refusals({ ...it, storage: plain, memory: plain, value: bytesOf(5) }, it.stored, "nothing")).rejects.toThrow();
});

test("100,000 values have 100,000 nonces and as many data keys", async () => {
  const memory = memoryStorage();
  const storage = encrypted({ keys: [first] })(memory);
  const count = 100_000;
  const [nonces, bodies] = [new Set<string>(), new Set<string>()];
  for (let index = 0; index < count; index++) {
    await storage.put("a", new Uint8Array(8));
    const stored = Buffer.from((await memory.get("a")) as Bytes);
    nonces.add(stored.toString("latin1", 82, 106));
    bodies.add(stored.toString("latin1", 154, 178)); // of equal values: equal only under an equal data key
  }
  expect(nonces.size).toBe(count);
  expect(bodies.size).toBe(count);
});

test("enough ciphertexts were tampered with", () => {
  expect(tampered).toBeGreaterThan(full ? 20_000 : 2000);
});
