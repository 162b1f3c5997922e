import { readFileSync } from "node:fs";
import type { S3Options } from "../s3-storage.ts";
import { s3Storage } from "../s3-storage.ts";

// Streams so many bytes up or down, a few first as a warm-up, and prints by how many MiB the memory grew at its peak.

const [job = "", options = "", size = ""] = process.argv.slice(2);
const storage = s3Storage(JSON.parse(options) as S3Options);
const chunk = new Uint8Array(256 * 1024).fill(7);

async function* bytes(count: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let given = 0; given < count; given += chunk.length) yield chunk;
}

async function run(count: number, key: string): Promise<void> {
  if (job === "write") {
    await storage.write(key, bytes(count));
    return;
  }
  const entry = await storage.read("large", { end: count });
  let received = 0;
  for await (const each of entry!.value) received += each.length;
  if (received !== count) throw new Error(`${received} bytes came instead of ${count}.`);
}

await run(2 ** 20, "small");
globalThis.gc?.();
const before = process.memoryUsage.rss();
await run(Number(size), "large");
process.stdout.write(String((peak() - before) / 2 ** 20));
await storage.close();

/** Bytes of memory at the peak. What getrusage(2) says begins at the peak of the process that started this one. */
function peak(): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))![1]) * 1024;
}
