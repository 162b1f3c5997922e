import type { ByteStorage } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { text } from "./samples.ts";

/** Raises a counter by compare-and-set, however often that takes, and gives what it then is. Nothing is written for no change. */
export async function update(storage: ByteStorage, key: string, change: (count: number) => number): Promise<number> {
  for (;;) {
    const entry = await storage.getEntry(key);
    const before = entry === undefined ? 0 : Number(new TextDecoder().decode(entry.value));
    const after = change(before);
    if (after === before) return after;
    try {
      await storage.put(key, text(String(after)), entry === undefined ? { ifNoneMatch: "*" } : { ifMatch: entry.etag });
      return after;
    } catch (error) {
      if (!StorageError.is(error, "precondition-failed") && !StorageError.is(error, "conflict")) throw error;
    }
  }
}
