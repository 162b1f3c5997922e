import type { ByteSource, Bytes, EntryInfo, PutOptions, WriteOptions } from "@stowage/core";
import { concatBytes, copyBytes, readSource } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin, turn } from "../twin.ts";

class TearsPuts extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    if (value instanceof Uint8Array && value.byteLength > 1000) {
      await super.put(key, value.slice(0, value.byteLength / 2));
      await turn();
    }
    return await super.put(key, value, options);
  }
}

class TearsWrites extends Twin {
  override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    const chunks: Bytes[] = [];
    for await (const chunk of readSource(source, options?.signal)) {
      chunks.push(copyBytes(chunk));
      await super.put(key, concatBytes(chunks));
    }
    return await super.put(key, concatBytes(chunks), options);
  }
}

class MixesRacers extends Twin {
  readonly #parts = new Map<string, Bytes>();

  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    if (!(value instanceof Uint8Array) || value.byteLength < 2000) return await super.put(key, value, options);
    const half = value.byteLength / 2;
    this.#parts.set(key, this.#parts.get(key) ?? value.slice(0, half));
    await turn();
    return await super.put(key, concatBytes([this.#parts.get(key) as Bytes, value.slice(half)]), options);
  }
}

class RemovesBeforeItPuts extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    if (options !== undefined || !(value instanceof Uint8Array) || key === "") return await super.put(key, value, options);
    await super.delete(key);
    await turn();
    return await super.put(key, value);
  }
}

class ForgetsTheSize extends Twin {
  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return super.write(key, source, { ...options, size: undefined });
  }
}

class StoresWhatCameBeforeAFailure extends Twin {
  override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    const chunks: Bytes[] = [];
    try {
      for await (const chunk of readSource(source, options?.signal)) chunks.push(copyBytes(chunk));
    } catch {
      return await super.put(key, concatBytes(chunks));
    }
    return await super.write(key, new Blob(chunks), options);
  }
}

class StoresOnlyTheFirstChunk extends Twin {
  override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    let first: Uint8Array = new Uint8Array(0);
    for await (const chunk of readSource(source, options?.signal)) {
      first = chunk;
      break;
    }
    return await super.write(key, new Blob([copyBytes(first)]), options);
  }
}

class LeavesItsSource extends Twin {
  override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    if (key === "") return await super.put(key, new Uint8Array(0));
    return await super.write(key, source, options);
  }
}

export const brokenWrites: readonly BrokenStorage[] = [
  control("tears a put", "who reads while others put sees whole values", TearsPuts),
  control("tears a write", "a value is not there before its write is complete", TearsWrites),
  control("mixes two who put at once", "puts of different sizes that race leave one whole value", MixesRacers),
  control("removes an entry before it replaces it", "an entry that is replaced is never missing in between", RemovesBeforeItPuts),
  control(
    "forgets the size that a source was said to give",
    "a write of fewer bytes than it was said to give changes nothing",
    ForgetsTheSize,
  ),
  control("stores what came before a source failed", "a write whose source fails changes nothing", StoresWhatCameBeforeAFailure),
  control("stores only the first chunk", "write stores what an iterable gives", StoresOnlyTheFirstChunk),
  control("leaves the source of a refused write open", "write that is refused for its key cancels its source", LeavesItsSource),
];
