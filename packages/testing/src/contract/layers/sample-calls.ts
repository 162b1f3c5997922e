import type {
  CallOptions,
  DeleteOptions,
  ListOptions,
  Operation,
  OperationName,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "@stowage/core";
import type { AbilityName } from "../abilities.ts";
import type { ContractContext } from "../promise.ts";

/** A call with options, and how it must look below. */
export interface SampleCall {
  readonly operation: OperationName;
  readonly what: string;
  readonly needs: readonly AbilityName[];
  readonly key?: string;
  readonly keys?: readonly string[];
  /** Which sample is put. */
  readonly value?: number;
  readonly options?: CallOptions & Record<string, unknown>;
  readonly operations?: readonly Operation<number>[];
}

const soon = 60_000;

/** Calls that together use every option. Below them an entry "old" is there, whose etag stands for `$etag`. */
export const sampleCalls: readonly SampleCall[] = [
  { operation: "get", what: "a key", needs: [], key: "old" },
  { operation: "getEntry", what: "a key", needs: [], key: "old" },
  { operation: "getEntries", what: "its keys", needs: [], keys: ["old", "missing", "old"] },
  { operation: "head", what: "a key", needs: [], key: "old" },
  { operation: "has", what: "a key", needs: [], key: "old" },
  { operation: "list", what: "nothing", needs: ["list"], options: {} },
  list("prefix and limit", ["list"], { prefix: "o", limit: 7 }),
  list("info", ["list"], { info: true }),
  list("a delimiter", ["list", "ordered"], { delimiter: "/", prefix: "o" }),
  list("startAfter", ["list", "ordered"], { startAfter: "a" }),
  put("a key and a value", [], {}),
  put("metadata", ["metadata"], { metadata: { author: "Ada" } }),
  put("a ttl, as expiresAt", ["ttl"], { ttl: soon }),
  put("expiresAt", ["ttl"], { expiresAt: 4_000_000_000_000 }),
  put("ifNoneMatch", ["create"], { ifNoneMatch: "*" }),
  { operation: "put", what: "ifMatch", needs: ["replace"], key: "old", value: 1, options: { ifMatch: "$etag" } satisfies PutOptions },
  { operation: "delete", what: "a key", needs: [], key: "old" },
  { operation: "delete", what: "ifMatch", needs: ["delete"], key: "old", options: { ifMatch: "$etag" } satisfies DeleteOptions },
  {
    operation: "batch",
    what: "its operations",
    needs: [],
    operations: [
      { type: "put", key: "new", value: 1 },
      { type: "delete", key: "old" },
    ],
  },
  {
    operation: "batch",
    what: "the options of its operations",
    needs: ["ttl", "metadata"],
    operations: [
      { type: "put", key: "new", value: 1, options: { metadata: { author: "Ada" }, ttl: soon } },
      { type: "put", key: "other", value: 0 },
    ],
  },
  {
    operation: "batch",
    what: "atomic and its conditions",
    needs: ["atomic", "create"],
    options: { atomic: true },
    operations: [{ type: "put", key: "new", value: 1, options: { ifNoneMatch: "*" } }],
  },
  { operation: "clear", what: "a prefix", needs: ["list"], options: { prefix: "o" } },
  { operation: "flush", what: "nothing", needs: [] },
  { operation: "read", what: "a key", needs: ["streams"], key: "old" },
  { operation: "read", what: "a range", needs: ["streams"], key: "old", options: { start: 1, end: 3 } satisfies ReadOptions },
  { operation: "read", what: "ifMatch", needs: ["streams", "replace"], key: "old", options: { ifMatch: "$etag" } satisfies ReadOptions },
  write("a key and a source", ["streams"], {}),
  write("metadata", ["streams", "metadata"], { metadata: { author: "Ada" } }),
  write("a ttl, as expiresAt", ["streams", "ttl"], { ttl: soon }),
  write("ifNoneMatch", ["streams", "create", "stream"], { ifNoneMatch: "*" }),
];

function list(what: string, needs: readonly AbilityName[], options: ListOptions): SampleCall {
  return { operation: "list", what, needs, options: { ...options } };
}

function put(what: string, needs: readonly AbilityName[], options: PutOptions): SampleCall {
  return { operation: "put", what, needs, key: "new", value: 1, options: { ...options } };
}

function write(what: string, needs: readonly AbilityName[], options: WriteOptions): SampleCall {
  return { operation: "write", what, needs, key: "new", value: 1, options: { ...options } };
}

/** Sends a sample call. */
export function send(context: ContractContext, call: SampleCall, options: CallOptions): Promise<unknown> {
  const { storage, value } = context;
  const key = call.key ?? "";
  switch (call.operation) {
    case "getEntries":
      return storage.getEntries(call.keys ?? [], options);
    case "list":
    case "clear":
    case "flush":
      return storage[call.operation](options);
    case "put":
      return storage.put(key, value(call.value ?? 0), options);
    case "batch":
      return storage.batch(operationsOf(context, call), options);
    case "read":
      return context.bytes.read(key, options);
    case "write":
      return context.bytes.write(key, new Blob([value(call.value ?? 0) as Uint8Array<ArrayBuffer>]), options);
    default:
      return storage[call.operation](key, options);
  }
}

/** The operations of a sample batch with their values. */
export function operationsOf({ value }: ContractContext, call: SampleCall): Operation<unknown>[] {
  return (call.operations ?? []).map((operation) =>
    operation.type === "put" ? { ...operation, value: value(operation.value) } : operation,
  );
}
