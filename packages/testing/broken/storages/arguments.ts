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
  Page,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin } from "../twin.ts";

/** What is no options counts as none. */
const forgiven = <O>(options: O | undefined): O | undefined => (typeof options === "object" && options !== null ? options : undefined);

class ForgivesOptions extends Twin {
  override list(options?: ListOptions): Promise<Page> {
    return super.list(forgiven(options));
  }

  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, forgiven(options));
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return super.delete(key, forgiven(options));
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    return super.read(key, forgiven(options));
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return super.write(key, source, forgiven(options));
  }

  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    return super.batch(operations, forgiven(options));
  }

  override clear(options?: ClearOptions): Promise<void> {
    return super.clear(forgiven(options));
  }
}

class ForgivesOperations extends Twin {
  override batch(operations: readonly Operation<Bytes>[], options?: BatchOptions): Promise<void> {
    const known = Array.isArray(operations) ? operations.filter((operation: Operation<Bytes> | null) => operation?.key !== undefined) : [];
    return super.batch(
      known.map((operation: Operation<Bytes>) => ({ ...operation, options: forgiven(operation.options) })),
      options,
    );
  }
}

class SpreadsKeys extends Twin {
  override async getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<Bytes> | undefined)[]> {
    return await super.getEntries([...keys], options);
  }
}

class ClearsAnyPrefix extends Twin {
  override clear(options?: ClearOptions): Promise<void> {
    const prefix: unknown = forgiven(options)?.prefix;
    return super.clear(prefix === undefined ? options : { ...options, prefix: JSON.stringify(prefix) });
  }
}

class LeavesTheSource extends Twin {
  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    return super.write(key, options === undefined ? source : new Blob([]), options);
  }
}

class LooksIntoNull extends Twin {
  override async head(key: string, options: CallOptions = {}): Promise<EntryInfo | undefined> {
    const { signal } = options;
    return await super.head(key, { signal });
  }
}

/** One storage that takes anything for options, and each promise that finds it out. */
const forgiving = ["list", "put", "delete", "read", "batch", "clear"].map((operation) =>
  control(
    `takes anything for the options of ${operation}`,
    `${operation} refuses what are no options, and changes nothing`,
    ForgivesOptions,
  ),
);

export const brokenArguments: readonly BrokenStorage[] = [
  ...forgiving,
  control("takes anything for the options of write", "write refuses what are no options, and cancels its source", ForgivesOptions),
  control("leaves the source of a write without options", "write refuses what are no options, and cancels its source", LeavesTheSource),
  control(
    "does those operations of a batch that it knows",
    "batch refuses what is no array of operations, and changes nothing",
    ForgivesOperations,
  ),
  control(
    "takes anything for the options of an operation",
    "batch refuses what are no options of an operation, and changes nothing",
    ForgivesOperations,
  ),
  control("takes a text for an array of keys", "getEntries refuses what is no array of keys, and changes nothing", SpreadsKeys),
  control("clears by anything that it can make a text of", "clear refuses what is no prefix, and changes nothing", ClearsAnyPrefix),
  control(
    "fails with a TypeError on null for options",
    "a call whose only option is a signal fails with nothing but a StorageError, whatever its options are",
    LooksIntoNull,
  ),
];
