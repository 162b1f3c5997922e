import { Buffer } from "node:buffer";
import type { Bytes, Entry, EntryInfo, PutOptions } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin } from "../twin.ts";

class HandsOutBuffers extends Twin {
  override async get(key: string): Promise<Bytes | undefined> {
    const value = await super.get(key);
    return value && Buffer.from(value);
  }
}

class HandsOutViews extends Twin {
  override async get(key: string): Promise<Bytes | undefined> {
    const value = await super.get(key);
    if (value === undefined) return undefined;
    const pool = new Uint8Array(value.byteLength + 8);
    pool.set(value, 8);
    return pool.subarray(8);
  }
}

class KeepsTheCallersArray extends Twin {
  readonly #arrays = new Map<string, Bytes>();

  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    this.#arrays.set(key, value);
    return super.put(key, value, options);
  }

  override async get(key: string): Promise<Bytes | undefined> {
    return this.#arrays.get(key)?.slice();
  }
}

class GivesOneArrayToAll extends Twin {
  readonly #given = new Map<string, Promise<Bytes | undefined>>();

  override get(key: string): Promise<Bytes | undefined> {
    const given = this.#given.get(key) ?? super.get(key);
    this.#given.set(key, given);
    return given;
  }
}

class TakesEmptyForMissing extends Twin {
  override async get(key: string): Promise<Bytes | undefined> {
    const value = await super.get(key);
    return value?.byteLength === 0 ? undefined : value;
  }
}

class StoresAllBehindAView extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return await super.put(key, value instanceof Uint8Array ? new Uint8Array(value.buffer) : value, options);
  }
}

class TakesAnyArray extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return await super.put(key, ArrayBuffer.isView(value) ? Uint8Array.from(value) : value, options);
  }
}

class DeletesForUndefined extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    if (value !== undefined) return await super.put(key, value, options);
    await super.delete(key);
    return { key };
  }
}

class TakesTheCallersMemory extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const info = await super.put(key, value, options);
    structuredClone(value, { transfer: [value.buffer] });
    return info;
  }
}

class StoresText extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const text = value instanceof Uint8Array ? new TextEncoder().encode(new TextDecoder().decode(value)) : value;
    return await super.put(key, text, options);
  }
}

class DropsMetadata extends Twin {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, { ...options, metadata: undefined });
  }
}

class MergesMetadata extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const before = typeof key === "string" && key !== "" ? await super.head(key).catch(() => undefined) : undefined;
    return await super.put(key, value, { ...options, metadata: options?.metadata && { ...before?.metadata, ...options.metadata } });
  }
}

class TrimsMetadata extends Twin {
  override async getEntry(key: string): Promise<Entry<Bytes> | undefined> {
    const entry = await super.getEntry(key);
    return entry && { ...entry, ...trimmed(entry) };
  }

  override async head(key: string): Promise<EntryInfo | undefined> {
    const info = await super.head(key);
    return info && trimmed(info);
  }
}

function trimmed(info: EntryInfo): EntryInfo {
  if (info.metadata === undefined) return info;
  return { ...info, metadata: Object.fromEntries(Object.entries(info.metadata).map(([name, text]) => [name, text.trim()])) };
}

class TellsAWrongSize extends Twin {
  override async head(key: string): Promise<EntryInfo | undefined> {
    const info = await super.head(key);
    return info && { ...info, size: (info.size ?? 0) + 12 };
  }
}

export const brokenValues: readonly BrokenStorage[] = [
  control("hands out a Buffer", "a Buffer may go in, and comes out as plain bytes", HandsOutBuffers),
  control("hands out a view of a larger buffer", "what comes out owns its memory", HandsOutViews),
  control("keeps the caller's array", "changing a value after put settled changes nothing stored", KeepsTheCallersArray),
  control("gives the same array twice", "two who get one value do not share it", GivesOneArrayToAll),
  control("takes an empty value for a missing one", "an empty value is a value", TakesEmptyForMissing),
  control("stores the whole buffer behind a view", "of a view, only what it shows is stored", StoresAllBehindAView),
  control("takes the elements of any array for bytes", "what is not bytes is refused", TakesAnyArray),
  control("takes undefined for a delete", "undefined is refused as a value", DeletesForUndefined),
  control("takes the caller's memory away", "put leaves the bytes that it is given where they are", TakesTheCallersMemory),
  control("turns bytes into text and back", "every byte comes back", StoresText),
  control("drops metadata", "metadata comes back with head", DropsMetadata),
  control("merges new metadata into the old", "put replaces all metadata", MergesMetadata),
  control("trims metadata as a header would", "metadata may be any text", TrimsMetadata),
  control("tells the size of what it stores", "size is the number of bytes", TellsAWrongSize),
];
