import type { CallOptions, OperationName } from "@stowage/core";
import type { AbilityName } from "./abilities.ts";
import type { ContractContext } from "./promise.ts";

/** One operation of the contract, in a form in which all can be called alike. */
export interface OperationCall {
  readonly name: OperationName;
  readonly needs: readonly AbilityName[];
  /** Whether it changes what is stored. */
  readonly changes: boolean;
  /** Calls it for the key, where it has one. */
  start(context: ContractContext, key: string, options?: CallOptions): Promise<unknown>;
}

const reading = (name: OperationName, start: OperationCall["start"], needs: readonly AbilityName[] = []): OperationCall => ({
  name,
  needs,
  changes: false,
  start,
});
const changing = (name: OperationName, start: OperationCall["start"], needs: readonly AbilityName[] = []): OperationCall => ({
  name,
  needs,
  changes: true,
  start,
});

/** Every operation of the contract that reaches the data. Those that change something put `value(1)` or delete. */
export const operations: readonly OperationCall[] = [
  reading("get", ({ storage }, key, options) => storage.get(key, options)),
  reading("getEntry", ({ storage }, key, options) => storage.getEntry(key, options)),
  reading("getEntries", ({ storage }, key, options) => storage.getEntries([key], options)),
  reading("head", ({ storage }, key, options) => storage.head(key, options)),
  reading("has", ({ storage }, key, options) => storage.has(key, options)),
  reading("list", ({ storage }, _key, options) => storage.list(options), ["list"]),
  changing("put", ({ storage, value }, key, options) => storage.put(key, value(1), options)),
  changing("delete", ({ storage }, key, options) => storage.delete(key, options)),
  changing("batch", ({ storage, value }, key, options) => storage.batch([{ type: "put", key, value: value(1) }], options)),
  changing("clear", ({ storage }, _key, options) => storage.clear(options), ["list"]),
  reading("flush", ({ storage }, _key, options) => storage.flush(options)),
  reading("read", ({ bytes }, key, options) => bytes.read(key, options), ["streams"]),
  changing("write", ({ bytes }, key, options) => bytes.write(key, new Blob(["written"]), options), ["streams"]),
];

/** Those that take a single key. */
export const keyOperations: readonly OperationCall[] = operations.filter(
  ({ name }) => name !== "list" && name !== "clear" && name !== "flush" && name !== "batch",
);
