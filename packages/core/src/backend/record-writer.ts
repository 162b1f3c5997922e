import { checkBytes } from "../contract/bytes.ts";
import type { Clock } from "../contract/clock.ts";
import type { Bytes, ClearOptions, DeleteOptions, EntryInfo, Operation, PutOptions } from "../contract/contract.ts";
import { checkKey } from "../contract/keys.ts";
import { withExpiry } from "../contract/options.ts";
import { untilAborted } from "../contract/sources.ts";
import type { Failure } from "../contract/storage-error.ts";
import { StorageError } from "../contract/storage-error.ts";
import { otherVersion } from "./base-byte-storage.ts";
import type { Commits } from "./commits.ts";
import { mostBytesAtOnce, mostChangesAtOnce } from "./commits.ts";
import { Etags } from "./etags.ts";
import type { ReadRange } from "./ordered-page.ts";
import { rangeUnder } from "./ordered-page.ts";
import { partial } from "./partial.ts";
import { packRecord } from "./record.ts";
import type { RecordVersion } from "./record.ts";
import type { RecordChange, RecordChanges, RecordOutcome } from "./record-changes.ts";
import { everyMade } from "./record-changes.ts";

export interface RecordWriterOptions {
  /** Name of the storage, for errors. */
  readonly storage: string;
  readonly clock: Clock;
  readonly translate: (error: unknown, operation: string, key: string | undefined) => unknown;
  readonly commits: () => Commits<RecordChanges, RecordOutcome>;
}

/** Turns writes into changes of records, and what became of those into answers. */
export class RecordWriter {
  readonly #options: RecordWriterOptions;
  readonly #storage: string;
  readonly #clock: Clock;
  readonly #etags = new Etags();

  constructor(options: RecordWriterOptions) {
    this.#options = options;
    this.#storage = options.storage;
    this.#clock = options.clock;
  }

  put(key: string, value: Uint8Array, options: PutOptions | undefined, operation = "put"): Promise<EntryInfo> {
    const version = this.#versionOf(options, this.#clock.now());
    const change = changeOf(key, value, version, options);
    return this.#make(operation, change, options?.signal, writtenInfo(key, value.byteLength, version));
  }

  delete(key: string, options: DeleteOptions | undefined): Promise<void> {
    return this.#make("delete", { key, record: undefined, ifMatch: options?.ifMatch }, options?.signal, undefined);
  }

  async batchAll(operations: readonly Operation<Bytes>[], signal: AbortSignal | undefined): Promise<void> {
    const now = this.#clock.now();
    const changes = operations.map((operation) => this.#changeOf(operation, now));
    const size = changes.reduce((sum, change) => sum + sizeOf(change), 0);
    const [outcome = everyMade] = await this.#submit([changes], size, signal);
    if (outcome === everyMade) return;
    throw this.#whyNot(outcome, "batch", typeof outcome === "number" ? operations[outcome]!.key : undefined);
  }

  async batchEach(operations: readonly Operation<Bytes>[], signal: AbortSignal | undefined): Promise<void> {
    const failures: Failure[] = [];
    const fail = (index: number, error: unknown): void => void failures.push({ index, key: operations[index]!.key, error });
    const now = this.#clock.now();
    let sets: RecordChanges[] = [];
    let indexes: number[] = [];
    let size = 0;
    const send = async (): Promise<void> => {
      const outcomes = await this.#submit(sets, size, signal).catch((error: unknown) => {
        signal?.throwIfAborted();
        return sets.map(() => error as Error);
      });
      for (let position = 0; position < outcomes.length; position++) {
        const outcome = outcomes[position]!;
        const index = indexes[position]!;
        if (outcome !== everyMade) fail(index, this.#whyNot(outcome, "batch", operations[index]!.key));
      }
      sets = [];
      indexes = [];
      size = 0;
    };
    for (let index = 0; index < operations.length; index++) {
      try {
        const change = this.#changeOf(operations[index]!, now);
        sets.push([change]);
        indexes.push(index);
        size += sizeOf(change);
      } catch (error) {
        fail(index, error);
      }
      if (sets.length === mostChangesAtOnce || size > mostBytesAtOnce) await send();
    }
    if (sets.length > 0) await send();
    if (failures.length > 0) throw partial("batch", this.#storage, failures, operations.length);
  }

  /** Removes what is there, some at a time. */
  async clear(read: ReadRange, { prefix = "", signal }: ClearOptions = {}): Promise<void> {
    const { end, from: first } = rangeUnder(prefix);
    let from = first;
    try {
      for (;;) {
        const found = await read({ from, end }, mostChangesAtOnce, false);
        if (found.length === 0) return;
        const [outcome] = await this.#submit([found.map(({ key }) => ({ key, record: undefined }))], 0, signal);
        if (outcome !== undefined && outcome !== everyMade) throw outcome;
        if (found.length < mostChangesAtOnce) return;
        from = `${found.at(-1)!.key}\0`;
      }
    } catch (error) {
      signal?.throwIfAborted();
      const why = this.#options.translate(error, "clear", undefined);
      throw from !== first && StorageError.is(why) ? withUnknownOutcome(why) : why;
    }
  }

  #changeOf(operation: Operation<Bytes>, now: number): RecordChange {
    const { key } = operation;
    checkKey(key, "batch", this.#storage);
    if (operation.type === "delete") return { key, record: undefined, ifMatch: operation.options?.ifMatch };
    const { value, options } = operation;
    checkBytes(value, "batch", this.#storage, key);
    return changeOf(key, value, this.#versionOf(options, now), options);
  }

  #versionOf(options: Omit<PutOptions, "signal"> | undefined, modifiedAt: number): RecordVersion {
    const etag = this.#etags.next();
    if (options === undefined) return { etag, modifiedAt };
    const metadata = options.metadata;
    return {
      etag,
      modifiedAt,
      expiresAt: withExpiry(options, this.#clock).expiresAt,
      metadata: metadata === undefined || Object.keys(metadata).length === 0 ? undefined : { ...metadata },
    };
  }

  /** Makes a change and answers with `result`, or rejects with why it could not be made. */
  #make<T>(operation: string, change: RecordChange, signal: AbortSignal | undefined, result: T): Promise<T> {
    const made = new Promise<T>((resolve, reject) => {
      const settle = ([outcome = everyMade]: readonly RecordOutcome[]): void => {
        if (outcome === everyMade) resolve(result);
        else reject(this.#whyNot(outcome, operation, change.key));
      };
      const refuse = (error: unknown): void =>
        reject(signal?.aborted === true ? error : this.#options.translate(error, operation, change.key));
      this.#options.commits().submit({ changes: [[change]], size: sizeOf(change), signal, settle, reject: refuse });
    });
    return signal === undefined ? made : untilAborted(made, signal);
  }

  #whyNot(outcome: RecordOutcome, operation: string, key: string | undefined): unknown {
    return typeof outcome === "number" ? otherVersion(operation, this.#storage, key!) : this.#options.translate(outcome, operation, key);
  }

  #submit(sets: readonly RecordChanges[], size: number, signal: AbortSignal | undefined): Promise<readonly RecordOutcome[]> {
    const settled = new Promise<readonly RecordOutcome[]>((settle, reject) =>
      this.#options.commits().submit({ changes: sets, size, signal, settle, reject }),
    );
    return signal === undefined ? settled : untilAborted(settled, signal);
  }
}

function changeOf(
  key: string,
  value: Uint8Array,
  version: RecordVersion,
  options: Pick<PutOptions, "ifMatch" | "ifNoneMatch"> | undefined,
): RecordChange {
  const { etag, expiresAt } = version;
  return { key, record: packRecord(version, value), etag, expiresAt, ifMatch: options?.ifMatch, ifNoneMatch: options?.ifNoneMatch };
}

/** The same error of a call that had some effect already. */
function withUnknownOutcome({ code, message, retryable, operation, key, storage, cause }: StorageError): StorageError {
  return new StorageError(code, message, { retryable, operation, key, storage, outcome: "unknown", cause });
}

function writtenInfo(key: string, size: number, { etag, modifiedAt, expiresAt, metadata }: RecordVersion): EntryInfo {
  if (expiresAt === undefined && metadata === undefined) return { key, size, etag, modifiedAt };
  return {
    key,
    size,
    etag,
    modifiedAt,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(metadata !== undefined && { metadata }),
  };
}

const sizeOf = ({ record }: RecordChange): number => record?.byteLength ?? 0;
