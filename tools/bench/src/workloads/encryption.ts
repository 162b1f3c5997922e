import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import * as sodium from "sodium-native";
import { compressed } from "@stowage/compressed";
import type { ByteStorage } from "@stowage/core";
import { stack } from "@stowage/core";
import { encrypted } from "@stowage/encrypted";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import type { Store } from "../harness/calls.ts";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { growthOf } from "../harness/growth.ts";
import { unstorageInFolder } from "../harness/peers.ts";
import { figure } from "../harness/report.ts";
import { drain, textOf, textStream } from "../harness/text.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** encrypted() against the cipher alone, and with compressed() against what is done by hand. */
export const encryption: Workload = {
  name: "encryption",
  about:
    "encrypted() over a memory storage that shares its values, against one call of the same cipher and one copy; then compressed() and encrypted() on a folder on tmpfs against zstd-3 and AES-256-GCM by hand; one in flight.",
  async run(bench) {
    await ciphers(bench);
    await pipelines(bench);
    await streams(bench, bench.pick(2 ** 30, 2 ** 20));
  },
};

const key = new Uint8Array(randomBytes(32));
const keys = [{ id: "2026-11", secret: key }];

const cipherAlone = "cipher and copy (limit)";
const layer = "encrypted()";

async function ciphers(bench: Bench): Promise<void> {
  for (const suite of ["xchacha20-poly1305", "aes-256-gcm"] as const) {
    const hand = suite === "aes-256-gcm" ? gcm : xchacha;
    const rows: string[][] = [];
    for (const size of bench.pick([1024, 8192, 102_400, 2 ** 20, 10 * 2 ** 20], [1024])) {
      const value = textOf(size);
      const storage = encrypted({ keys, suite })(memoryStorage({ share: true }));
      await storage.put("text", value);
      const sealed = hand.seal(value);
      const puts = await compare(
        [
          once(cipherAlone, size, async () => void hand.seal(value)),
          once(layer, size, async () => void (await storage.put("text", value))),
        ],
        bench.quick,
      );
      const gets = await compare(
        [
          once(cipherAlone, size, async () => void copied(hand.open(sealed))),
          once(layer, size, async () => void (await storage.get("text"))),
        ],
        bench.quick,
      );
      rows.push([`${size / 1024} KiB`, ...[puts, gets].flatMap((result) => [cipherAlone, layer].map((name) => speed(result, name)))]);
      const target = size < 100_000 ? 0.25 : 0.4;
      bench.report.atLeast(`put ${size / 1024} KiB with ${suite}, of the cipher and a copy`, puts.ratio(layer, cipherAlone), target);
      bench.report.atLeast(`get ${size / 1024} KiB with ${suite}, of the cipher and a copy`, gets.ratio(layer, cipherAlone), target);
    }
    bench.report.table(`${suite}, MB/s`, ["size", "put: cipher and copy", layer, "get: cipher and copy", layer], rows);
  }
}

const stacked = "compressed(), encrypted(), file";
const inPool = "unstorage fs, zstd-3 in the pool, GCM by hand";
/** What blocks the thread for as long as zstd takes: nobody's default, and the fastest that can be done by hand. */
const atOnce = "unstorage fs, zstd-3 at once, GCM by hand";

async function pipelines(bench: Bench): Promise<void> {
  const targets: Readonly<Record<number, readonly [put: number | undefined, get: number]>> = {
    1024: [2, 3],
    102_400: [1.2, 1.8],
    10_485_760: [undefined, 3],
  };
  const rows: string[][] = [];
  for (const size of bench.pick([1024, 102_400, 10_485_760], [1024])) {
    const value = textOf(size);
    const folder = await bench.folder("memory");
    const storage = stackIn(join(folder, "ours"));
    const contenders: readonly [string, Store<Uint8Array>][] = [
      [stacked, { get: (name) => storage.get(name), put: (name, text) => storage.put(name, text) }],
      [inPool, byHand(join(folder, "pool"), promisify(zlib.zstdCompress), promisify(zlib.zstdDecompress))],
      [
        atOnce,
        byHand(
          join(folder, "at-once"),
          async (plain) => zlib.zstdCompressSync(plain),
          async (packed) => zlib.zstdDecompressSync(packed),
        ),
      ],
    ];
    for (const [, store] of contenders) await store.put("documents/text", value);
    const puts = await compare(
      contenders.map(([name, store]) => once(name, size, async () => void (await store.put("documents/text", value)))),
      bench.slow,
    );
    const gets = await compare(
      contenders.map(([name, store]) => once(name, size, async () => void (await store.get("documents/text")))),
      bench.slow,
    );
    await storage.close();
    for (const [name] of contenders) rows.push([`${size / 1024} KiB`, name, speed(puts, name), speed(gets, name)]);
    const [put, get] = targets[size] as readonly [number | undefined, number];
    const name = `text of ${size / 1024} KiB`;
    if (put !== undefined) bench.report.atLeast(`put ${name}, of unstorage and the pool by hand`, puts.ratio(stacked, inPool), put);
    bench.report.atLeast(`get ${name}, of unstorage and the pool by hand`, gets.ratio(stacked, inPool), get);
    bench.report.atLeast(`put ${name}, of unstorage and zstd at once by hand`, puts.ratio(stacked, atOnce), 1);
    bench.report.atLeast(`get ${name}, of unstorage and zstd at once by hand`, gets.ratio(stacked, atOnce), 1);
  }
  bench.report.table("text, compressed and encrypted in a folder", ["size", "contender", "put MB/s", "get MB/s"], rows);
}

async function streams(bench: Bench, size: number): Promise<void> {
  const folder = await bench.folder("memory");
  const storage = stackIn(join(folder, "storage"));
  const target = join(folder, "by-hand");
  const text = textOf(8 * 2 ** 20);
  const limit = "node:stream pipeline, zstd-3, GCM";
  const nonce = randomBytes(12);
  let tag: Buffer | undefined;
  const writes = await compare(
    [
      once(limit, size, async () => {
        const cipher = createCipheriv("aes-256-gcm", key, nonce);
        await pipeline(Readable.from(textStream(size, text)), zlib.createZstdCompress(), cipher, createWriteStream(target));
        tag = cipher.getAuthTag();
      }),
      once(stacked, size, async () => void (await storage.write("large", textStream(size, text)))),
    ],
    bench.long,
  );
  const reads = await compare(
    [
      once(limit, size, async () => {
        const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAuthTag(tag as Buffer);
        await pipeline(
          createReadStream(target),
          decipher,
          zlib.createZstdDecompress(),
          async (plain: AsyncIterable<Uint8Array>) => void (await drain(plain)),
        );
      }),
      once(stacked, size, async () => void (await drain((await storage.read("large"))!.value))),
    ],
    bench.long,
  );
  await storage.close();
  const writing = await growthOf("write-encrypted", String(size), join(folder, "alone"));
  const reading = await growthOf("read-encrypted", String(size), join(folder, "alone"));
  bench.report.table(
    `a stream of ${size / 2 ** 20} MiB on tmpfs`,
    ["contender", "write MB/s", "read MB/s"],
    [limit, stacked].map((name) => [name, speed(writes, name), speed(reads, name)]),
  );
  bench.report.atLeast("writing a stream, of a pipeline of the same work", writes.ratio(stacked, limit), 2);
  bench.report.atLeast("reading a stream, of a pipeline of the same work", reads.ratio(stacked, limit), 2);
  bench.report.atMost("memory of writing an encrypted stream", writing, 64, " MiB");
  bench.report.atMost("memory of reading an encrypted stream", reading, 64, " MiB");
}

function stackIn(directory: string): ByteStorage {
  return stack(fileStorage({ directory, durability: "process" }), encrypted({ keys }), compressed());
}

/** What a team writes by hand: a nonce, the tag and the ciphertext, in a folder of unstorage. */
function byHand(
  folder: string,
  compress: (plain: Uint8Array) => Promise<Uint8Array>,
  decompress: (packed: Uint8Array) => Promise<Uint8Array>,
): Store<Uint8Array> {
  const store = unstorageInFolder(folder);
  return {
    async put(name, value) {
      await store.put(name, gcm.seal(await compress(value)));
    },
    async get(name) {
      return await decompress(gcm.open((await store.get(name)) as Uint8Array));
    },
  };
}

const gcm = {
  /** One call of the cipher, and one copy into the output. */
  seal(plain: Uint8Array): Uint8Array {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    const body = cipher.update(plain);
    cipher.final();
    return Buffer.concat([nonce, cipher.getAuthTag(), body]);
  },
  open(sealed: Uint8Array): Uint8Array {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12)).setAuthTag(sealed.subarray(12, 28));
    const plain = decipher.update(sealed.subarray(28));
    decipher.final();
    return plain;
  },
};

const sealNonce = Buffer.from(randomBytes(24));
const sealKey = Buffer.from(key);
const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const xchacha = {
  /** One call of the cipher, and one copy into the output. */
  seal(plain: Uint8Array): Uint8Array {
    const sealed = Buffer.allocUnsafe(plain.byteLength + 16);
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, view(plain), null, null, sealNonce, sealKey);
    return copied(sealed);
  },
  open(sealed: Uint8Array): Uint8Array {
    const plain = Buffer.allocUnsafe(sealed.byteLength - 16);
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, view(sealed), null, sealNonce, sealKey);
    return plain;
  },
};

const copied = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

/** One run that handles so many bytes. */
const once = (name: string, bytes: number, run: () => Promise<void>): Contender => ({ name, operations: bytes, run });

const speed = (result: Comparison, name: string): string => figure(1e3 / result.nanoseconds(name));
