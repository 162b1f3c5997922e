import type { Bytes, Capabilities, DeleteOptions, Entry, EntryInfo, PutOptions } from "@stowage/core";
import { otherVersion } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin, turn } from "../twin.ts";

class IgnoresIfNoneMatch extends Twin {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, { ...options, ifNoneMatch: undefined });
  }
}

class IgnoresIfMatch extends Twin {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, { ...options, ifMatch: undefined });
  }
}

class TakesAnEmptyIfMatchForNone extends Twin {
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, { ...options, ifMatch: options?.ifMatch || undefined });
  }
}

class ChecksThenWrites extends Twin {
  override async put(key: string, value: Bytes, options: PutOptions = {}): Promise<EntryInfo> {
    const { ifNoneMatch, ifMatch, ...rest } = options;
    if (ifNoneMatch === undefined && ifMatch === undefined) return await super.put(key, value, rest);
    const before = await super.head(key);
    await turn();
    if (ifNoneMatch !== undefined ? before !== undefined : before?.etag !== ifMatch) throw otherVersion("put", this.name, key);
    return await super.put(key, value, rest);
  }
}

class DeletesAnyVersion extends Twin {
  override delete(key: string): Promise<void> {
    return super.delete(key);
  }
}

class DeletesWhatIsMissing extends Twin {
  override async delete(key: string, options?: DeleteOptions): Promise<void> {
    if (options?.ifMatch !== undefined && !(await super.has(key))) return;
    await super.delete(key, options);
  }
}

/** Etags that are made of what is known about an entry. */
function etagsOf(make: (info: EntryInfo) => string): typeof Twin {
  const told = <I extends EntryInfo>(info: I): I => ({ ...info, etag: make(info) });
  return class extends Twin {
    override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
      return told(await super.put(key, value, options));
    }
    override async head(key: string): Promise<EntryInfo | undefined> {
      const info = await super.head(key);
      return info && told(info);
    }
    override async getEntry(key: string): Promise<Entry<Bytes> | undefined> {
      const entry = await super.getEntry(key);
      return entry && told(entry);
    }
  };
}

class LosesConditionsInBatches extends Twin {
  override batch(...[operations, options]: Parameters<Twin["batch"]>): Promise<void> {
    const bare = operations.map((operation) => ({ ...operation, options: undefined }));
    return super.batch(options?.atomic === true ? bare : operations, options);
  }
}

class CannotKeepMetadata extends Twin {
  override get capabilities(): Capabilities {
    return { ...super.capabilities, metadata: false };
  }
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, { ...options, metadata: undefined });
  }
}

class CannotCreate extends Twin {
  override get capabilities(): Capabilities {
    return { ...super.capabilities, conditions: ["replace", "delete"] };
  }
}

export const brokenConditions: readonly BrokenStorage[] = [
  control("ignores ifNoneMatch", "ifNoneMatch leaves an entry that is there as it is", IgnoresIfNoneMatch),
  control("ignores ifMatch", "ifMatch refuses another version", IgnoresIfMatch),
  control("takes an empty ifMatch for none", "an empty ifMatch and a star are versions that nothing has", TakesAnEmptyIfMatchForNone),
  control("checks, then creates", "of many who create one key at once, one wins", ChecksThenWrites),
  control("checks, then replaces", "of many who replace one version at once, one wins", ChecksThenWrites),
  control("deletes any version", "delete with ifMatch leaves another version", DeletesAnyVersion),
  control("deletes a version of what is missing", "delete with ifMatch fails where nothing is", DeletesWhatIsMissing),
  control(
    "makes the etag of the size",
    "values of one size that are put at one moment never share an etag",
    etagsOf(({ size }) => `size-${size}`),
  ),
  control(
    "makes the etag of the time",
    "two writes of different values never share an etag",
    etagsOf(({ modifiedAt }) => `time-${modifiedAt}`),
  ),
  control(
    "makes a new etag each time it is asked",
    "an entry that nobody writes keeps its etag",
    etagsOf(() => `random-${Math.random()}`),
  ),
  control("loses conditions inside a batch", "an atomic batch whose condition fails does nothing", LosesConditionsInBatches),
  control("drops metadata that it says it cannot keep", "metadata comes back with head", CannotKeepMetadata),
  control("honours a condition that it says it cannot", "ifNoneMatch creates an entry where nothing is", CannotCreate),
];
