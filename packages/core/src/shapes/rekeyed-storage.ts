import type {
  BatchOptions,
  ByteSource,
  Bytes,
  CallOptions,
  ClearOptions,
  DeleteOptions,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  OperationName,
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "../contract/contract.ts";
import { checkKeys } from "../contract/keys.ts";
import { checkClearOptions, checkListOptions } from "../contract/options.ts";
import { ForwardingStorage } from "./forwarding-storage.ts";
import { preparedBatch } from "./prepared-batch.ts";
import { rejecting, writing } from "./rejecting.ts";

/**
 * The shape that rewrites keys. The rewriting must be reversible and must keep the order of keys, or say so in
 * `capabilities`. `inner` keys that `fromInner` does not know are not part of this storage.
 */
export abstract class RekeyedStorage<V> extends ForwardingStorage<V> {
  /** The inner key. Throws `invalid-key` for what is not a key; `operation` is for that error. */
  protected abstract toInner(key: string, operation: OperationName): string;
  /** The key of an inner key, or `undefined` where it is none of ours. Also takes the rolled-up prefixes of a list. */
  protected abstract fromInner(key: string): string | undefined;
  /** The inner prefix that covers every key under `prefix`; the empty prefix covers all of ours. Also takes the place where a list starts. */
  protected abstract prefixToInner(prefix: string): string;

  override get(key: string, options?: CallOptions): Promise<V | undefined> {
    return rejecting(() => super.get(this.toInner(key, "get"), options));
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return rejecting(() => super.getEntry(this.toInner(key, "getEntry"), options).then((entry) => entry && { ...entry, key }));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    return rejecting(async () => {
      checkKeys(keys, "getEntries", this.name);
      const entries = await super.getEntries(
        keys.map((key) => this.toInner(key, "getEntries")),
        options,
      );
      return entries.map((entry, index) => entry && { ...entry, key: keys[index] as string });
    });
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return rejecting(() => super.head(this.toInner(key, "head"), options).then((info) => info && { ...info, key }));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return rejecting(() => super.has(this.toInner(key, "has"), options));
  }

  override async list(options: ListOptions = {}): Promise<Page> {
    checkListOptions(options, this);
    const { prefix = "", startAfter } = options;
    const page = await super.list({
      ...options,
      prefix: this.prefixToInner(prefix),
      startAfter: startAfter === undefined ? undefined : this.prefixToInner(startAfter),
    });
    const entries: EntryInfo[] = [];
    for (const entry of page.entries) {
      const key = this.fromInner(entry.key);
      if (key !== undefined) entries.push({ ...entry, key });
    }
    const prefixes = page.prefixes.map((inner) => this.fromInner(inner)).filter((found) => found !== undefined);
    return { ...page, entries, prefixes };
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    return rejecting(() => super.put(this.toInner(key, "put"), value, options).then((info) => ({ ...info, key })));
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return rejecting(() => super.delete(this.toInner(key, "delete"), options));
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    const rekey = (operation: Operation<V>): Operation<V> => ({ ...operation, key: this.toInner(operation.key, "batch") });
    return preparedBatch(this.name, operations, options, rekey, (rekeyed) => super.batch(rekeyed, options));
  }

  override clear(options: ClearOptions = {}): Promise<void> {
    return rejecting(() => {
      checkClearOptions(options, this);
      return super.clear({ ...options, prefix: this.prefixToInner(options.prefix ?? "") });
    });
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return rejecting(() => super.read(this.toInner(key, "read"), options).then((entry) => entry && { ...entry, key }));
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return writing(source, () => super.write(this.toInner(key, "write"), source, options).then((info) => ({ ...info, key })));
  }
}
