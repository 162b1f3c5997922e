import { readFileSync } from "node:fs";
import type { ByteStorage } from "@stowage/core";
import { scan } from "@stowage/core";
import { compressed } from "@stowage/compressed";
import { encrypted } from "@stowage/encrypted";
import { envelope } from "@stowage/envelope";
import { fileStorage } from "@stowage/file";
import { s3Storage } from "@stowage/s3";
import { drain, textOf, textStream } from "./text.ts";

/** Runs one job in this process, a tiny one first as a warm-up, and prints by how many MiB the memory grew at its peak. */
const jobs: Readonly<Record<string, (size: number, folder: string) => Promise<void>>> = {
  /** Lists a whole folder. */
  async list(size, folder) {
    const storage = fileStorage({ directory: folder, durability: "process" });
    let seen = 0;
    for await (const _ of scan(storage)) if (++seen === size) break;
    await storage.close();
  },
  /** Stores a compressed stream. */
  async write(size, folder) {
    const storage = compressedIn(folder);
    await storage.write("large", textStream(size, text));
    await storage.close();
  },
  /** Reads it back. */
  async read(size, folder) {
    const storage = compressedIn(folder);
    const entry = await storage.read("large", { end: size });
    await drain(entry!.value);
    await storage.close();
  },
  /** Stores an encrypted stream. */
  async "write-encrypted"(size, folder) {
    const storage = encryptedIn(folder);
    await storage.write("large", textStream(size, text));
    await storage.close();
  },
  /** Reads it back. */
  async "read-encrypted"(size, folder) {
    const storage = encryptedIn(folder);
    const entry = await storage.read("large", { end: size });
    await drain(entry!.value);
    await storage.close();
  },
  /** Stores a stream in an envelope. */
  async "write-enveloped"(size, folder) {
    const storage = envelope()(fileStorage({ directory: folder, durability: "process" }));
    await storage.write("large", textStream(size, text));
    await storage.close();
  },
  /** Reads it back. */
  async "read-enveloped"(size, folder) {
    const storage = envelope()(fileStorage({ directory: folder, durability: "process" }));
    const entry = await storage.read("large", { end: size });
    await drain(entry!.value);
    await storage.close();
  },
  /** Stores a stream in the bucket of a service, whose address stands in place of the folder. */
  async "write-s3"(size, endpoint) {
    const storage = s3Storage({ bucket: "bucket", endpoint, credentials: { accessKeyId: "name", secretAccessKey: "secret" } });
    await storage.write("large", textStream(size, text));
    await storage.close();
  },
};

const [name = "", size = "", directory = ""] = process.argv.slice(2);
const job = jobs[name];
if (job === undefined) throw new Error(`There is no job "${name}".`);
const text = textOf(8 * 2 ** 20);
await job(Math.min(Number(size), name === "list" ? 10 : 100_000), directory);
globalThis.gc?.();
const before = process.memoryUsage.rss();
await job(Number(size), directory);
console.log((peak() - before) / 2 ** 20);

function compressedIn(folder: string): ByteStorage {
  return compressed()(fileStorage({ directory: folder, durability: "process" }));
}

function encryptedIn(folder: string): ByteStorage {
  const keys = [{ id: "probe", secret: new Uint8Array(32).fill(1) }];
  return encrypted({ keys })(fileStorage({ directory: folder, durability: "process" }));
}

/**
 * Bytes of memory at the peak. What getrusage(2) says begins on Linux at the peak of the process that started this one, so
 * it is asked elsewhere only.
 */
function peak(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))![1]) * 1024;
}
