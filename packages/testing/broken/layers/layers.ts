import type {
  BatchOptions,
  ByteSource,
  Bytes,
  ByteStorage,
  CallOptions,
  Capabilities,
  ClearOptions,
  DeleteOptions,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  Page,
  PutOptions,
  WriteOptions,
} from "@stowage/core";
import { ForwardingStorage, StorageError, withExpiries, withExpiry } from "@stowage/core";
import type { LayerSubject } from "@stowage/testing/contract";

/** A layer that is broken in one way, and the promise that must catch it. */
export interface BrokenLayer extends LayerSubject {
  readonly does: string;
  readonly caughtBy: string;
}

/** A layer that adds nothing and keeps every promise. */
export class IdleLayer extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly name: string = "idle";
}

class LooksTwice extends IdleLayer {
  override async get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return (await super.has(key, options)) ? await super.get(key, options) : undefined;
  }
}

class RenewsTtl extends IdleLayer {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return this.below.put(key, value, options);
  }
}

class ForgetsBatch extends IdleLayer {
  override async batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    for (const operation of operations) await super.batch([operation], options);
  }
}

class HidesGetEntries extends IdleLayer {
  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return await Promise.all(keys.map((key) => super.getEntry(key, options)));
  }
}

class DropsTheSignal extends IdleLayer {
  override head(key: string): Promise<EntryInfo | undefined> {
    return super.head(key);
  }
}

class DropsMetadata extends IdleLayer {
  override put(key: string, value: Bytes, { metadata: _lost, ...options }: PutOptions = {}): Promise<EntryInfo> {
    return super.put(key, value, options);
  }
}

class DropsConditions extends IdleLayer {
  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return super.delete(key, { signal: options?.signal });
  }
}

class DropsOptionsInBatches extends IdleLayer {
  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    const sent = operations.map(({ options: _lost, ...operation }) => operation as Operation<Bytes>);
    return super.batch(sent, options);
  }
}

class DropsTheLimit extends IdleLayer {
  override list(options?: ListOptions): Promise<Page> {
    return super.list({ ...options, limit: undefined });
  }
}

class DropsThePrefix extends IdleLayer {
  override clear(options?: ClearOptions): Promise<void> {
    return super.clear({ signal: options?.signal });
  }
}

class SwallowsErrors extends IdleLayer {
  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    return super.get(key, options).catch((error: unknown) => {
      if (StorageError.is(error, "corrupt")) return undefined;
      throw error;
    });
  }
}

class WrapsErrors extends IdleLayer {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, options).catch((error: unknown) => {
      throw StorageError.is(error) ? new StorageError(error.code, error.message, { cause: error }) : error;
    });
  }
}

class SendsAgain extends IdleLayer {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, options).catch(() => super.put(key, value, options));
  }
}

class ForgetsFlush extends IdleLayer {
  override async flush(options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
  }
}

class ClosesTwice extends IdleLayer {
  override async close(): Promise<void> {
    await super.close();
    await super.close();
  }
}

class NeverCloses extends IdleLayer {
  override async close(): Promise<void> {}
}

class HidesACloseError extends IdleLayer {
  override async close(): Promise<void> {
    await super.close().catch(() => {});
  }
}

class ClaimsOrder extends IdleLayer {
  override get capabilities(): Capabilities {
    return { ...super.capabilities, list: "ordered" };
  }
}

class ClaimsMetadata extends IdleLayer {
  override get capabilities(): Capabilities {
    return { ...super.capabilities, metadata: true };
  }
}

class HidesWhatIsBelow extends IdleLayer {
  override readonly inner = [];
}

class NeedsStreams extends IdleLayer {
  override async put(key: string, value: Bytes, options: PutOptions = {}): Promise<EntryInfo> {
    if (!(value instanceof Uint8Array) || Object.keys(options).length > 0) return await super.put(key, value, options);
    return await super.write(key, new Blob([value.slice()]));
  }
}

class NeedsEtags extends IdleLayer {
  override async get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    const entry = await super.getEntry(key, options);
    return entry?.etag === undefined ? undefined : entry.value;
  }
}

class LosesItsSource extends IdleLayer {
  override async write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    const settled = withExpiry(options, this.clock, this, "write"); // throws, and nobody tells the source
    return await this.belowBytes.write(key, source, settled);
  }
}

class SendsAnotherSource extends IdleLayer {
  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    const copied = async function* (): AsyncGenerator<Bytes> {
      for await (const chunk of source as AsyncIterable<Bytes>) yield chunk;
    };
    return super.write(key, source instanceof ReadableStream ? copied() : source, options);
  }
}

/** Shared by every instance, as a mistake. */
const remembered = new Map<string, Promise<Bytes | undefined>>();

class RemembersForAll extends IdleLayer {
  override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    const found = remembered.get(key) ?? super.get(key, options);
    remembered.set(key, found);
    return found;
  }
}

class PutsOneByOne extends IdleLayer {
  override async batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    for (const operation of withExpiries(operations, this.clock, this)) {
      if (operation.type === "put") await super.put(operation.key, operation.value, { ...operation.options, signal: options?.signal });
      else await super.delete(operation.key, { ...operation.options, signal: options?.signal });
    }
  }
}

function layer(does: string, caughtBy: string, Broken: typeof IdleLayer): BrokenLayer {
  return { does, caughtBy, create: (inner, { clock }) => new Broken(inner, clock) };
}

export const brokenLayers: readonly BrokenLayer[] = [
  layer("adds a second call", "get goes down once, with a key", LooksTwice),
  layer("sends a ttl on, to be renewed below", "put goes down once, with a ttl, as expiresAt", RenewsTtl),
  layer("sends a batch in pieces", "batch goes down once, with its operations", ForgetsBatch),
  layer("takes a batch apart into puts", "batch goes down once, with atomic and its conditions", PutsOneByOne),
  layer("answers getEntries by getEntry", "getEntries goes down once, with its keys", HidesGetEntries),
  layer("drops the signal", "an abort of head gets below, and ends the call with its reason", DropsTheSignal),
  layer("drops metadata", "put goes down once, with metadata", DropsMetadata),
  layer("drops a condition", "delete goes down once, with ifMatch", DropsConditions),
  layer("drops the options of operations", "batch goes down once, with the options of its operations", DropsOptionsInBatches),
  layer("drops the limit of a list", "list goes down once, with prefix and limit", DropsTheLimit),
  layer("drops the prefix of clear", "clear goes down once, with a prefix", DropsThePrefix),
  layer("takes damage for a miss", "an error below get arrives as it is", SwallowsErrors),
  layer("wraps errors", "an error below put arrives as it is", WrapsErrors),
  layer("sends a refused call again", "an error below put arrives as it is", SendsAgain),
  layer("does not flush what is below", "flush goes down once, with nothing", ForgetsFlush),
  layer("closes what is below twice", "close goes down once", ClosesTwice),
  layer("does not close what is below", "close goes down once", NeverCloses),
  layer("hides that closing failed", "close tells what went wrong below", HidesACloseError),
  layer("claims an order that is not there", "claims no ability that what is below lacks", ClaimsOrder),
  layer("claims metadata that is not kept", "keeps the contract on a storage without metadata", ClaimsMetadata),
  layer("hides what it stands on", "says what it stands on", HidesWhatIsBelow),
  layer("streams where there are no streams", "keeps the contract on a storage without streams", NeedsStreams),
  layer("takes an entry without etag for missing", "keeps the contract on a storage without etags", NeedsEtags),
  layer("loses the source of a refused write", "keeps the contract on itself", LosesItsSource),
  layer("does not pass on that a source is given up", "a write that fails below gives its source up", SendsAnotherSource),
  layer("shares what it remembers among its instances", "keeps the contract on itself", RemembersForAll),
];
