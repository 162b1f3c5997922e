import type { ByteSource, Bytes, CallOptions, Capabilities, Entry, EntryInfo, PutOptions, ReadOptions, WriteOptions } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { StorageError } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { makeTwin, Twin, turn } from "../twin.ts";

type StreamEntry = Entry<ReadableStream<Bytes>>;

class SwallowsErrors extends Twin {
  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return super.get(key, options).catch(() => undefined);
  }
}

class ThrowsAtOnce extends Twin {
  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    if (key === "") throw new StorageError("invalid-key", "A key must not be empty.", { storage: this.name, operation: "get" });
    return super.get(key, options);
  }
}

class RejectsWithAnythingElse extends Twin {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, options).catch((error: unknown) => {
      throw new TypeError("The value cannot be stored.", { cause: error });
    });
  }
}

class TellsTheKey extends Twin {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, options).catch((error: unknown) => {
      throw StorageError.is(error)
        ? new StorageError(error.code, `Cannot store "${key}".`, { operation: "put", storage: this.name, key })
        : error;
    });
  }
}

class LeavesARejection extends Twin {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const stored = super.put(key, value, options);
    void stored.then(() => {}); // nobody looks whether it failed
    return stored;
  }
}

class IgnoresAborts extends Twin {
  override get(key: string): Promise<Bytes | undefined> {
    return super.get(key);
  }
}

class WrapsTheReason extends Twin {
  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return super.get(key, options).catch((error: unknown) => {
      throw options?.signal?.aborted === true ? new StorageError("timeout", "The call was aborted.", { cause: error }) : error;
    });
  }
}

class HangsWhenAborted extends Twin {
  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return super.write(key, source, { ...options, signal: undefined });
  }
}

class LeavesListeners extends Twin {
  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    options?.signal?.addEventListener("abort", () => {});
    return super.head(key, options);
  }
}

class StoresDespiteAnAbort extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const info = await super.put(key, value, { ...options, signal: undefined });
    options?.signal?.throwIfAborted();
    return info;
  }
}

class TellsTheSizeOfThePart extends Twin {
  override async read(key: string, options?: ReadOptions): Promise<StreamEntry | undefined> {
    const entry = await super.read(key, options);
    const { start = 0, end } = options ?? {};
    return entry && { ...entry, size: Math.max(0, Math.min(end ?? entry.size ?? 0, entry.size ?? 0) - start) };
  }
}

class IncludesTheEnd extends Twin {
  override read(key: string, options?: ReadOptions): Promise<StreamEntry | undefined> {
    const end = options?.end;
    return super.read(key, typeof end === "number" && end >= 0 && Number.isInteger(end) ? { ...options, end: end + 1 } : options);
  }
}

class IgnoresANegativeStart extends Twin {
  override read(key: string, options?: ReadOptions): Promise<StreamEntry | undefined> {
    return super.read(key, options?.start !== undefined && options.start < 0 ? { ...options, start: 0 } : options);
  }
}

class ReadsAnyVersion extends Twin {
  override read(key: string, options?: ReadOptions): Promise<StreamEntry | undefined> {
    return super.read(key, { ...options, ifMatch: undefined });
  }
}

class UsesOneChunkAgain extends Twin {
  override async read(key: string, options?: ReadOptions): Promise<StreamEntry | undefined> {
    const entry = await super.read(key, options);
    const pool = new Uint8Array(65_536);
    const reuse = new TransformStream<Bytes, Bytes>({
      transform(chunk, controller) {
        pool.set(chunk);
        controller.enqueue(chunk.byteLength === pool.byteLength ? pool : pool.slice(0, chunk.byteLength));
      },
    });
    return entry && { ...entry, value: entry.value.pipeThrough(reuse) };
  }
}

class ClosesOnce extends Twin {
  #closed = false;

  override async close(): Promise<void> {
    if (this.#closed) throw new StorageError("closed", "The storage is closed already.", { storage: this.name, operation: "close" });
    this.#closed = true;
    await super.close();
  }
}

class WorksAfterClose extends Twin {
  override async close(): Promise<void> {}
}

class LeavesRunningCalls extends Twin {
  override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    const info = await super.put(key, value, options);
    await turn();
    return info;
  }
}

class SaysItLasts extends Twin {
  override get capabilities(): Capabilities {
    return { ...super.capabilities, durability: "power" };
  }
}

class ChangesItsMind extends Twin {
  #calls = 0;

  override get capabilities(): Capabilities {
    return { ...super.capabilities, shared: this.#calls > 0 };
  }

  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    this.#calls++;
    return super.get(key, options);
  }
}

export const brokenCalls: readonly BrokenStorage[] = [
  control("swallows an error into undefined", "get refuses what is not a key", SwallowsErrors),
  control("throws instead of rejecting", "get refuses what is not a key", ThrowsAtOnce),
  control("rejects with an error of another class", "undefined is refused as a value", RejectsWithAnythingElse),
  control("puts the key into the message", "the message of an error keeps the key out", TellsTheKey),
  control("leaves a rejection unhandled", "a failed call leaves no rejection unhandled", LeavesARejection),
  control("ignores an abort", "get with an aborted signal rejects with the reason as it is", IgnoresAborts),
  control("wraps the reason of an abort", "get with an aborted signal rejects with the reason as it is", WrapsTheReason),
  control("hangs with its source when it is aborted", "an abort ends a write whose source hangs", HangsWhenAborted),
  control("leaves a listener on the signal", "head leaves nothing on its signal", LeavesListeners),
  control("stores what was aborted before it began", "put with an aborted signal rejects with the reason as it is", StoresDespiteAnAbort),
  control("tells the size of the part", "read tells the size of the whole value, for a part too", TellsTheSizeOfThePart),
  control("includes the byte at the end", "any range gives what Blob.slice gives", IncludesTheEnd),
  control("ignores a negative start", "a negative start counts from the end", IgnoresANegativeStart),
  control("reads another version than was asked for", "read with ifMatch refuses another version", ReadsAnyVersion),
  control("uses the memory of a chunk again", "read streams the value", UsesOneChunkAgain),
  control("cannot be closed twice", "close may be called again, and at the same time", ClosesOnce),
  control("works after close", "put after close is refused", WorksAfterClose),
  control("leaves running calls behind", "close waits for what is running", LeavesRunningCalls),
  control("changes what it says it can do", "a storage says what it can do, always the same", ChangesItsMind),
  {
    does: "says that data lasts, and forgets it",
    caughtBy: "what was put is there for the next storage over the same data",
    create: ({ clock }) => ({
      storage: makeTwin(SaysItLasts, clock),
      reopen: () => new SaysItLasts(memoryStorage({ clock }), clock),
    }),
  },
  {
    does: "says that data lasts, and shows no proof",
    caughtBy: "what was put is there for the next storage over the same data",
    create: ({ clock }) => makeTwin(SaysItLasts, clock),
  },
];
