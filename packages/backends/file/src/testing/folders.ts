import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStorage, Clock } from "@stowage/core";
import { onTestFinished } from "vitest";
import type { FileOptions } from "../file-storage.ts";
import { fileStorage } from "../file-storage.ts";

/** A folder that goes when the test is over. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-file-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A storage that is closed when the test is over; without syncs unless it asks for them. */
export function open(directory: string, options: Omit<FileOptions, "directory"> = {}): ByteStorage {
  const storage = fileStorage({ directory, durability: "process", ...options });
  onTestFinished(() => storage.close());
  return storage;
}

/** The drafts that are left in a folder's reserved part. */
export async function draftsIn(directory: string): Promise<string[]> {
  const found = await Promise.all(["tmp", "solo"].map((name) => readdir(join(directory, ".stowage", name)).catch(() => [])));
  return found.flat();
}

export const bytes = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(text));

export async function textUnder(storage: ByteStorage, key: string): Promise<string | undefined> {
  const value = await storage.get(key);
  return value && new TextDecoder().decode(value);
}

/** A clock on which every wait is over at once. */
export const hurriedClock: Clock = { now: () => Date.now(), sleep: () => new Promise((resolve) => void setImmediate(resolve)) };
