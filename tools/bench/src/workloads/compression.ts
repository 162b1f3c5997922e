import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import type { CodecName } from "@stowage/compressed";
import { compressed } from "@stowage/compressed";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { growthOf } from "../harness/growth.ts";
import { figure } from "../harness/report.ts";
import { drain, textOf, textStream } from "../harness/text.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** compressed() against the same codec of node:zlib by hand. */
export const compression: Workload = {
  name: "compression",
  about: "Text through compressed() over a memory storage that shares its values, against node:zlib by hand; one in flight.",
  async run(bench) {
    await codecs(bench);
    await sizes(bench);
    await streams(bench, bench.pick(2 ** 30, 2 ** 20));
  },
};

/** How a codec is used by hand: as it comes, on the calling thread and on the pool. */
interface ByHand {
  readonly compressSync: (value: Uint8Array) => Uint8Array;
  readonly decompressSync: (stored: Uint8Array) => Uint8Array;
  readonly compress: (value: Uint8Array) => Promise<Uint8Array>;
  readonly decompress: (stored: Uint8Array) => Promise<Uint8Array>;
}

const direct = "node:zlib, synchronous (limit)";
const pool = "node:zlib, pool";
const ours = "compressed()";

async function codecs(bench: Bench): Promise<void> {
  const value = textOf(bench.pick(102_400, 1024));
  for (const [codec, level] of [
    ["zstd", 1],
    ["zstd", 3],
    ["gzip", 6],
    ["brotli", 4],
  ] as const) {
    const { puts, gets, ratio } = await throughAndByHand(bench, codec, level, value);
    const title = `${codec}-${level}, text of ${value.byteLength / 1024} KiB, ${figure(ratio)} times smaller`;
    bench.report.table(
      title,
      ["contender", "put MB/s", "get MB/s"],
      [direct, pool, ours].map((name) => [name, speed(puts, name), speed(gets, name)]),
    );
    bench.report.atLeast(`put ${codec}-${level}, of node:zlib`, puts.ratio(ours, direct), 0.9);
    bench.report.atLeast(`get ${codec}-${level}, of node:zlib`, gets.ratio(ours, direct), 0.9);
  }
}

async function sizes(bench: Bench): Promise<void> {
  const rows: string[][] = [];
  for (const size of bench.pick([256, 1024, 4096, 16_384, 65_536, 262_144, 2 ** 20], [256, 1024])) {
    const { puts, gets } = await throughAndByHand(bench, "zstd", 3, textOf(size));
    const micro = (result: Comparison, name: string): string => figure((result.nanoseconds(name) * size) / 1e3);
    rows.push([
      `${size / 1024} KiB`,
      ...[direct, pool, ours].map((name) => micro(puts, name)),
      ...[direct, pool, ours].map((name) => micro(gets, name)),
    ]);
  }
  const columns = ["zstd-3, µs", "put: sync by hand", "pool by hand", "compressed()", "get: sync by hand", "pool by hand", "compressed()"];
  bench.report.table("zstd-3 by size", columns, rows);
}

async function streams(bench: Bench, size: number): Promise<void> {
  const folder = await bench.folder("memory");
  const storage = compressed()(fileStorage({ directory: join(folder, "storage"), durability: "process" }));
  const target = join(folder, "by-hand.zst");
  const text = textOf(8 * 2 ** 20);
  const limit = "node:stream pipeline (limit)";
  const writes = await compare(
    [
      once(limit, size, () => pipeline(Readable.from(textStream(size, text)), zlib.createZstdCompress(), createWriteStream(target))),
      once(ours, size, async () => void (await storage.write("large", textStream(size, text)))),
    ],
    bench.long,
  );
  const reads = await compare(
    [
      once(limit, size, () =>
        pipeline(
          createReadStream(target),
          zlib.createZstdDecompress(),
          async (plain: AsyncIterable<Uint8Array>) => void (await drain(plain)),
        ),
      ),
      once(ours, size, async () => void (await drain((await storage.read("large"))!.value))),
    ],
    bench.long,
  );
  await storage.close();
  const writing = await growthOf("write", String(size), join(folder, "storage"));
  const reading = await growthOf("read", String(size), join(folder, "storage"));
  bench.report.table(
    `zstd-3, a stream of ${size / 2 ** 20} MiB on tmpfs`,
    ["contender", "write MB/s", "read MB/s", "write memory MiB", "read memory MiB"],
    [
      [limit, speed(writes, limit), speed(reads, limit)],
      [ours, speed(writes, ours), speed(reads, ours), figure(writing), figure(reading)],
    ],
  );
  bench.report.atLeast("writing a stream, of a pipeline of the same codec", writes.ratio(ours, limit), 1.8);
  bench.report.atLeast("reading a stream, of a pipeline of the same codec", reads.ratio(ours, limit), 1.8);
  bench.report.atMost("memory of writing a stream", writing, 64, " MiB");
  bench.report.atMost("memory of reading a stream", reading, 64, " MiB");
}

async function throughAndByHand(bench: Bench, codec: CodecName, level: number, value: Uint8Array) {
  const hand = byHand(codec, level);
  const storage = compressed({ codec, level })(memoryStorage({ share: true }));
  await storage.put("text", value);
  const stored = hand.compressSync(value);
  const puts = await compare(
    [
      once(direct, value.byteLength, async () => void hand.compressSync(value)),
      once(pool, value.byteLength, async () => void (await hand.compress(value))),
      once(ours, value.byteLength, async () => void (await storage.put("text", value))),
    ],
    bench.quick,
  );
  const gets = await compare(
    [
      once(direct, value.byteLength, async () => void hand.decompressSync(stored)),
      once(pool, value.byteLength, async () => void (await hand.decompress(stored))),
      once(ours, value.byteLength, async () => void (await storage.get("text"))),
    ],
    bench.quick,
  );
  return { puts, gets, ratio: value.byteLength / stored.byteLength };
}

function byHand(codec: CodecName, level: number): ByHand {
  if (codec === "gzip") {
    const [compress, decompress] = [promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip), promisify<Uint8Array, Buffer>(zlib.gunzip)];
    return {
      compressSync: (value) => zlib.gzipSync(value, { level }),
      decompressSync: (stored) => zlib.gunzipSync(stored),
      compress: (value) => compress(value, { level }),
      decompress,
    };
  }
  if (codec === "brotli") {
    const options = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level } };
    const [compress, decompress] = [
      promisify<Uint8Array, zlib.BrotliOptions, Buffer>(zlib.brotliCompress),
      promisify<Uint8Array, Buffer>(zlib.brotliDecompress),
    ];
    return {
      compressSync: (value) => zlib.brotliCompressSync(value, options),
      decompressSync: (stored) => zlib.brotliDecompressSync(stored),
      compress: (value) => compress(value, options),
      decompress,
    };
  }
  const options = { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } };
  const [compress, decompress] = [
    promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdCompress),
    promisify<Uint8Array, Buffer>(zlib.zstdDecompress),
  ];
  return {
    compressSync: (value) => zlib.zstdCompressSync(value, options),
    decompressSync: (stored) => zlib.zstdDecompressSync(stored),
    compress: (value) => compress(value, options),
    decompress,
  };
}

/** One run that handles so many bytes. */
const once = (name: string, bytes: number, run: () => Promise<void>): Contender => ({ name, operations: bytes, run });

const speed = (result: Comparison, name: string): string => figure(1e3 / result.nanoseconds(name));
