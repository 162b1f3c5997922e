import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { ByteStorage, Bytes } from "@stowage/core";
import { envelope as enveloping } from "@stowage/envelope";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { getting, keysOf, putAll, putting } from "../harness/calls.ts";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { growthOf } from "../harness/growth.ts";
import { figure } from "../harness/report.ts";
import { drain, textOf, textStream } from "../harness/text.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** What envelope() costs beside one checksum and one copy, which nobody can do without. */
export const envelope: Workload = {
  name: "envelope",
  about: "Text through envelope(), against the storage below with one CRC-32 and one copy of each value by hand (limit); one in flight.",
  async run(bench) {
    await values(bench, "memory", () => memoryStorage({ share: true }));
    const folder = await bench.folder("memory");
    let stores = 0;
    await values(bench, "a folder on tmpfs", () => fileStorage({ directory: join(folder, `values-${stores++}`), durability: "process" }));
    await streams(bench, bench.pick(2 ** 30, 2 ** 20));
  },
};

const bare = "without";
const byHand = "checksum and copy (limit)";
const ours = "envelope()";

async function values(bench: Bench, where: string, make: () => ByteStorage): Promise<void> {
  const rows: string[][] = [];
  for (const size of bench.pick([100, 1024, 102_400, 2 ** 20], [100, 1024])) {
    const keys = keysOf(size > 10_000 ? 20 : 200);
    const data = { keys, values: keys.map(() => textOf(size)) };
    const [plain, checked, enveloped] = [make(), checkedByHand(make()), enveloping()(make())];
    for (const storage of [plain, checked, enveloped]) await putAll(storage, data);
    const results: Comparison[] = [];
    for (const calling of [putting<Bytes>, getting<Bytes>]) {
      results.push(
        await compare([calling(bare, plain, data), calling(byHand, checked, data), calling(ours, enveloped, data)], bench.quick),
      );
    }
    const [puts, gets] = results as [Comparison, Comparison];
    const micro = (result: Comparison): string[] => [bare, byHand, ours].map((name) => figure(result.nanoseconds(name) / 1e3));
    rows.push([`${figure(size / 1024)} KiB`, ...micro(puts), ...micro(gets)]);
    bench.report.atLeast(`put ${size} B into ${where}, of checksum and copy`, puts.ratio(ours, byHand), 0.7);
    bench.report.atLeast(`get ${size} B from ${where}, of checksum and copy`, gets.ratio(ours, byHand), 0.7);
    for (const storage of [plain, checked, enveloped]) await storage.close();
  }
  bench.report.table(
    `µs per call over ${where}`,
    ["size", "put: without", "checksum and copy", "envelope()", "get: without", "checksum and copy", "envelope()"],
    rows,
  );
}

async function streams(bench: Bench, size: number): Promise<void> {
  const folder = await bench.folder("memory");
  const plain = fileStorage({ directory: join(folder, "plain"), durability: "process" });
  const storage = enveloping()(fileStorage({ directory: join(folder, "enveloped"), durability: "process" }));
  const text = textOf(8 * 2 ** 20);
  const write = (name: string, to: ByteStorage): Contender =>
    once(name, size, async () => void (await to.write("large", textStream(size, text))));
  const read = (name: string, from: ByteStorage): Contender =>
    once(name, size, async () => void (await drain((await from.read("large"))!.value)));
  const limitWrite = once(byHand, size, async () => void (await plain.write("large", checkedChunks(textStream(size, text)))));
  const limitRead = once(byHand, size, async () => void (await drain(checkedChunks((await plain.read("large"))!.value))));
  const writes = await compare([write(bare, plain), limitWrite, write(ours, storage)], bench.long);
  const reads = await compare([read(bare, plain), limitRead, read(ours, storage)], bench.long);
  await plain.close();
  await storage.close();
  const writing = await growthOf("write-enveloped", String(size), join(folder, "enveloped"));
  const reading = await growthOf("read-enveloped", String(size), join(folder, "enveloped"));
  const speed = (result: Comparison, name: string): string => figure(1e3 / result.nanoseconds(name));
  bench.report.table(
    `a stream of ${size / 2 ** 20} MiB on tmpfs`,
    ["contender", "write MB/s", "read MB/s", "write memory MiB", "read memory MiB"],
    [
      ...[bare, byHand].map((name) => [name, speed(writes, name), speed(reads, name)]),
      [ours, speed(writes, ours), speed(reads, ours), figure(writing), figure(reading)],
    ],
  );
  bench.report.atLeast("writing a stream, of checksum and copy", writes.ratio(ours, byHand), 0.7);
  bench.report.atLeast("reading a stream, of checksum and copy", reads.ratio(ours, byHand), 0.7);
  bench.report.atMost("memory of writing a stream", writing, 64, " MiB");
  bench.report.atMost("memory of reading a stream", reading, 64, " MiB");
}

/** Bytes that an envelope adds to a small value, so that both ask the allocator for the same. */
const added = 34;

/** The least that an envelope can do: it sums a value up, and moves it to make room for what it adds. */
function checkedByHand(storage: ByteStorage) {
  return {
    async put(key: string, value: Bytes): Promise<void> {
      const stored = new Uint8Array(value.byteLength + added);
      stored.set(value);
      new DataView(stored.buffer).setUint32(value.byteLength, crc32(value));
      await storage.put(key, stored);
    },
    async get(key: string): Promise<Bytes> {
      const stored = (await storage.get(key))!;
      const value = stored.slice(0, -added);
      if (crc32(value) !== new DataView(stored.buffer).getUint32(value.byteLength)) throw new Error("damaged");
      return value;
    },
    close: () => storage.close(),
  };
}

async function* checkedChunks(chunks: AsyncIterable<Bytes>): AsyncGenerator<Bytes, void, void> {
  let checksum = 0;
  for await (const chunk of chunks) {
    checksum = crc32(chunk, checksum);
    yield chunk.slice();
  }
  if (checksum === 0) throw new Error("damaged");
}

/** One run that handles so many bytes. */
const once = (name: string, bytes: number, run: () => Promise<void>): Contender => ({ name, operations: bytes, run });
