import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import type {
  AnyStorage,
  BatchOptions,
  ClearOptions,
  Condition,
  DeleteOptions,
  ListOptions,
  Operation,
  OperationName,
  PutOptions,
  ReadOptions,
  WriteOptions,
} from "./contract.ts";
import { StorageError } from "./storage-error.ts";

/** The default of `ListOptions.limit`. */
export const defaultListLimit = 1000;

/** Who refuses, and with what abilities: any storage. */
type Refusing = Pick<AnyStorage, "name" | "capabilities">;
type Named = Pick<AnyStorage, "name">;

/**
 * Put options with `ttl` turned into `expiresAt`; the same object where there is no `ttl`.
 * Refuses what are no options, both together, and numbers that are not finite and positive, in the name of `storage`.
 */
export function withExpiry<O extends Omit<PutOptions, "signal">>(options: O, clock: Clock, storage?: Named, operation?: OperationName): O;
export function withExpiry<O extends Omit<PutOptions, "signal">>(
  options: O | undefined,
  clock: Clock,
  storage?: Named,
  operation?: OperationName,
): O | undefined;
export function withExpiry<O extends Omit<PutOptions, "signal">>(
  options: O | undefined,
  clock: Clock = systemClock,
  storage?: Named,
  operation: OperationName = "put",
): O | undefined {
  if (options === undefined) return undefined;
  checkGroup(options, storage, operation);
  if (options.ttl === undefined && options.expiresAt === undefined) return options;
  if (options.ttl === undefined) {
    checkTime("expiresAt", options.expiresAt, storage, operation);
    return options;
  }
  if (options.expiresAt !== undefined) refuseOption(eitherTtlOrExpiresAt, storage, operation);
  const { ttl, ...rest } = options;
  checkTime("ttl", ttl, storage, operation);
  return { ...rest, expiresAt: clock.now() + ttl } as O;
}

/** The operations of a batch with `ttl` turned into `expiresAt`; the same array where there is none. Refuses what are no operations. */
export function withExpiries<V>(operations: readonly Operation<V>[], clock: Clock, storage?: Named): readonly Operation<V>[] {
  checkOperations(operations, storage);
  if (!operations.some((operation) => operation.type === "put" && operation.options?.ttl !== undefined)) return operations;
  return operations.map((operation) =>
    operation.type === "put" && operation.options?.ttl !== undefined
      ? { ...operation, options: withExpiry(operation.options, clock, storage, "batch") }
      : operation,
  );
}

/** Refuses options of a put or a write that make no sense, and with `unsupported` those that the storage's `capabilities` do not name. */
export function checkPutOptions(
  options: Omit<WriteOptions, "signal"> | undefined,
  storage: Refusing,
  operation: "put" | "write" | "batch",
): void {
  if (options === undefined) return;
  checkGroup(options, storage, operation);
  const { ttl, expiresAt, metadata, ifMatch, ifNoneMatch, size } = options;
  const refuse = (message: string): never => refuseOption(message, storage, operation);
  if (size !== undefined && !(Number.isInteger(size) && size >= 0)) refuse("size must be a whole number of bytes.");
  if (ttl !== undefined || expiresAt !== undefined) {
    if (ttl !== undefined && expiresAt !== undefined) refuse(eitherTtlOrExpiresAt);
    if (ttl !== undefined) checkTime("ttl", ttl, storage, operation);
    else checkTime("expiresAt", expiresAt, storage, operation);
    if (storage.capabilities.ttl === false) refuseAbility("ttl and expiresAt", storage, operation);
  }
  if (metadata !== undefined) {
    if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) refuse("metadata must be an object of strings.");
    for (const [name, text] of Object.entries(metadata)) {
      if (!isMetadataName(name)) refuse("Names of metadata must be lower-case ASCII words.");
      if (typeof text !== "string" || !text.isWellFormed()) refuse("Values of metadata must be well-formed strings.");
    }
    if (!storage.capabilities.metadata) refuseAbility("metadata", storage, operation);
  }
  if (ifMatch === undefined && ifNoneMatch === undefined) return;
  if (ifMatch !== undefined && ifNoneMatch !== undefined) refuse("Give either ifMatch or ifNoneMatch, not both.");
  if (ifMatch !== undefined && typeof ifMatch !== "string") refuse("ifMatch must be an etag.");
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") refuse('ifNoneMatch must be "*".');
  needCondition(ifMatch === undefined ? "create" : "replace", storage, operation);
  if (operation === "write") needCondition("stream", storage, operation);
}

/** Whether metadata may have such a name: a lower-case ASCII word. */
export function isMetadataName(name: string): boolean {
  return metadataName.test(name);
}

/** Refuses delete options that the storage's `capabilities` do not name. */
export function checkDeleteOptions(
  options: Omit<DeleteOptions, "signal"> | undefined,
  storage: Refusing,
  operation: "delete" | "batch" = "delete",
): void {
  if (options === undefined) return;
  checkGroup(options, storage, operation);
  if (options.ifMatch === undefined) return;
  if (typeof options.ifMatch !== "string") refuseOption("ifMatch must be an etag.", storage, operation);
  needCondition("delete", storage, operation);
}

/** Refuses read options that make no sense. */
export function checkReadOptions(options: ReadOptions | undefined, storage: Refusing): void {
  if (options === undefined) return;
  checkGroup(options, storage, "read");
  const { start, end, ifMatch } = options;
  if (start !== undefined && !Number.isInteger(start)) refuseOption("start must be a whole number of bytes.", storage, "read");
  if (end !== undefined && !Number.isInteger(end)) refuseOption("end must be a whole number of bytes.", storage, "read");
  if (ifMatch !== undefined && typeof ifMatch !== "string") refuseOption("ifMatch must be an etag.", storage, "read");
}

/** Refuses list options that make no sense or that the storage's `capabilities` do not name. */
export function checkListOptions(options: ListOptions | undefined, storage: Refusing): void {
  const { list } = storage.capabilities;
  if (list === "none") refuseAbility("list", storage, "list");
  if (options === undefined) return;
  checkGroup(options, storage, "list");
  const refuse = (message: string): never => refuseOption(message, storage, "list");
  const { prefix, delimiter, startAfter, cursor, limit } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) refuse("limit must be a whole number of at least 1.");
  for (const [name, text] of Object.entries({ prefix, delimiter, startAfter, cursor })) {
    checkText(name, text, storage, "list");
  }
  if (delimiter === "") refuse("delimiter must not be empty.");
  if (cursor !== undefined && startAfter !== undefined) refuse("Give either cursor or startAfter, not both.");
  if (list === "unordered" && delimiter !== undefined) refuseAbility("delimiter, which needs an ordered list", storage, "list");
  if (list === "unordered" && startAfter !== undefined) refuseAbility("startAfter, which needs an ordered list", storage, "list");
}

/** Refuses options of a clear that make no sense, so that none that was asked for a part takes all. */
export function checkClearOptions(options: ClearOptions | undefined, storage: Named): void {
  if (options === undefined) return;
  checkGroup(options, storage, "clear");
  checkText("prefix", options.prefix, storage, "clear");
}

/** Refuses a batch that makes no sense or that the storage's `capabilities` do not name. Keys and values are left to the storage. */
export function checkBatch<V>(operations: readonly Operation<V>[], options: BatchOptions | undefined, storage: Refusing): void {
  if (options !== undefined) checkGroup(options, storage, "batch");
  checkOperations(operations, storage);
  const atomic = options?.atomic === true;
  if (atomic && !storage.capabilities.atomicBatch) refuseAbility("atomic", storage, "batch");
  for (const operation of operations) {
    if (operation.type === "put") checkPutOptions(operation.options, storage, "batch");
    else checkDeleteOptions(operation.options, storage, "batch");
    if (!atomic && isConditional(operation.options)) refuseOption("Conditions inside a batch need atomic: true.", storage, "batch");
  }
}

/** Refuses what is no array of operations. What is in them is left to `checkBatch`. */
export function checkOperations(operations: readonly Operation<unknown>[], storage?: Named): void {
  if (!Array.isArray(operations)) refuseOption("batch takes an array of operations.", storage, "batch");
  for (const operation of operations as readonly (Operation<unknown> | null | undefined)[]) {
    const type = operation?.type;
    if (type !== "put" && type !== "delete")
      refuseOption('An operation of a batch must have the type "put" or "delete".', storage, "batch");
    if (operation?.options !== undefined) checkGroup(operation.options, storage, "batch");
  }
}

/** Whether options ask for a condition. */
export function isConditional(options: { readonly ifMatch?: unknown; readonly ifNoneMatch?: unknown } | undefined): boolean {
  return options?.ifMatch !== undefined || options?.ifNoneMatch !== undefined;
}

/** Whether an entry with this `expiresAt` is gone. Nothing is served at or after its expiry. */
export function isExpired(expiresAt: number | undefined, clock: Clock): boolean {
  return expiresAt !== undefined && expiresAt <= clock.now();
}

/** Rejects a call with `unsupported`, in words. */
export function refuseAbility(ability: string, storage: Refusing, operation: OperationName): never {
  throw new StorageError("unsupported", `The storage "${storage.name}" cannot honour ${ability}; its capabilities say so.`, {
    operation,
    storage: storage.name,
  });
}

const eitherTtlOrExpiresAt = "Give either ttl or expiresAt, not both.";

const metadataName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Options are an object: callers without types may hand in anything else. */
function checkGroup(options: unknown, storage: Named | undefined, operation: OperationName): void {
  if (typeof options !== "object" || options === null) refuseOption(`The options of ${operation} must be an object.`, storage, operation);
}

function checkText(name: string, text: unknown, storage: Named, operation: OperationName): void {
  if (text === undefined || (typeof text === "string" && text.isWellFormed())) return;
  refuseOption(`${name} must be a well-formed string.`, storage, operation);
}

function checkTime(name: "ttl" | "expiresAt", value: unknown, storage: Named | undefined, operation: OperationName): void {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return;
  refuseOption(`${name} must be a finite positive number of milliseconds.`, storage, operation);
}

function needCondition(condition: Condition, storage: Refusing, operation: OperationName): void {
  if (!storage.capabilities.conditions.includes(condition)) refuseAbility(`the condition "${condition}"`, storage, operation);
}

function refuseOption(message: string, storage: Named | undefined, operation: OperationName): never {
  throw new StorageError("invalid-option", message, { operation, storage: storage?.name });
}
