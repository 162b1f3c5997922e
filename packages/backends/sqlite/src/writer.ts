import type {
  ByteSource,
  Bytes,
  Clock,
  Commits,
  DeleteOptions,
  EntryInfo,
  Failure,
  Operation,
  PutOptions,
  Turns,
  WriteOptions,
} from "@stowage/core";
import {
  checkBytes,
  checkKey,
  Etags,
  mostBytesAtOnce,
  mostChangesAtOnce,
  otherVersion,
  partial,
  readSource,
  untilAborted,
  withExpiry,
  wrongSize,
} from "@stowage/core";
import type { Change, Outcome, Put, Remove, Version } from "./changes.ts";
import { done } from "./changes.ts";
import { errorOf, storageName, translate } from "./errors.ts";
import { faultOf } from "./faults.ts";
import type { Rows } from "./rows.ts";
import { infoOf } from "./rows.ts";
import { chunkSize } from "./schema.ts";
import { newBody } from "./writes.ts";

/** One write as errors tell of it. */
interface Call {
  readonly operation: string;
  readonly key?: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Turns writes into changes, and what became of those into answers. */
export class Writer {
  readonly #rows: Rows;
  readonly #commits: Commits<Change, Outcome>;
  readonly #turns: Turns;
  readonly #clock: Clock;
  readonly #etags = new Etags();

  constructor(rows: Rows, commits: Commits<Change, Outcome>, turns: Turns, clock: Clock) {
    this.#rows = rows;
    this.#commits = commits;
    this.#turns = turns;
    this.#clock = clock;
  }

  put(key: string, value: Uint8Array, options: PutOptions | undefined): Promise<EntryInfo> {
    const change = this.#putOf(key, value, options, this.#clock.now());
    const size = value.byteLength;
    return this.#make(change, { operation: "put", key, signal: options?.signal }, size, writtenInfo(key, size, change.version));
  }

  delete(key: string, options: DeleteOptions | undefined): Promise<void> {
    return this.#make<void>({ type: "delete", key, ifMatch: options?.ifMatch }, { operation: "delete", key, signal: options?.signal });
  }

  async batchAll(operations: readonly Operation<Bytes>[], signal: AbortSignal | undefined): Promise<void> {
    const now = this.#clock.now();
    const changes = operations.map((operation) => this.#changeOf(operation, now));
    const size = changes.reduce((sum, change) => sum + sizeOf(change), 0);
    const [outcome = done] = await this.#submit([{ type: "all", changes }], size, signal);
    if (outcome === done) return;
    throw whyNot(outcome, "batch", typeof outcome === "number" ? operations[outcome]!.key : undefined);
  }

  async batchEach(operations: readonly Operation<Bytes>[], signal: AbortSignal | undefined): Promise<void> {
    const failures: Failure[] = [];
    const fail = (index: number, error: unknown): void => void failures.push({ index, key: operations[index]!.key, error });
    const now = this.#clock.now();
    let changes: Change[] = [];
    let indexes: number[] = [];
    let size = 0;
    const send = async (): Promise<void> => {
      try {
        const outcomes = await this.#submit(changes, size, signal);
        for (let position = 0; position < outcomes.length; position++) {
          const index = indexes[position]!;
          if (outcomes[position] !== done) fail(index, whyNot(outcomes[position]!, "batch", operations[index]!.key));
        }
      } catch (error) {
        signal?.throwIfAborted();
        for (const index of indexes) fail(index, translate(error, "batch", operations[index]!.key));
      }
      changes = [];
      indexes = [];
      size = 0;
    };
    for (let index = 0; index < operations.length; index++) {
      try {
        const change = this.#changeOf(operations[index]!, now);
        changes.push(change);
        indexes.push(index);
        size += sizeOf(change);
      } catch (error) {
        fail(index, error);
      }
      if (changes.length === mostChangesAtOnce || size > mostBytesAtOnce) await send();
    }
    if (changes.length > 0) await send();
    if (failures.length > 0) throw partial("batch", storageName, failures, operations.length);
  }

  async clear(prefix: string, signal: AbortSignal | undefined): Promise<void> {
    const newest = this.#rows.newest();
    for (let begun = false; ; begun = true) {
      const outcome = await this.#clearSome(prefix, newest, signal);
      if (outcome === done) return;
      if (typeof outcome !== "number") throw errorOf(begun ? { ...outcome, outcome: "unknown" } : outcome, "clear");
      if (!this.#turns.hasTime) await this.#turns.next();
    }
  }

  async #clearSome(prefix: string, newest: number, signal: AbortSignal | undefined): Promise<Outcome> {
    try {
      const [outcome = done] = await this.#submit([{ type: "clear", prefix, newest }], 0, signal);
      return outcome;
    } catch (error) {
      signal?.throwIfAborted();
      const fault = faultOf(error);
      if (fault === undefined) throw error;
      return fault;
    }
  }

  /** A value that turns out to be small is put; the chunks of a larger one are stored as they come, and seen when all are there. */
  async write(key: string, source: ByteSource, options: WriteOptions): Promise<EntryInfo> {
    const { signal, size, ifMatch, ifNoneMatch } = options;
    const version = this.#versionOf(options, this.#clock.now());
    const call: Call = { operation: "write", key, signal };
    const body = newBody();
    const chunks = new Chunks();
    let position = 0;
    const store = async (bytes: Uint8Array): Promise<void> => {
      await this.#make({ type: "chunk", body, position, bytes }, call, bytes.byteLength);
      position++;
    };
    try {
      for await (const bytes of readSource(source, signal)) {
        if (size !== undefined && chunks.size + bytes.byteLength > size) throw wrongSize(size, "more", storageName, key);
        for (const chunk of chunks.add(bytes)) await store(chunk);
      }
      if (size !== undefined && chunks.size < size) throw wrongSize(size, String(chunks.size), storageName, key);
      const rest = chunks.rest();
      if (position === 0) await this.#make({ type: "put", key, value: rest, version, ifMatch, ifNoneMatch }, call, rest.byteLength);
      else {
        if (rest.byteLength > 0) await store(rest);
        await this.#make({ type: "publish", key, body, size: chunks.size, version, ifMatch, ifNoneMatch }, call);
      }
      return writtenInfo(key, chunks.size, version);
    } catch (error) {
      if (position > 0) void this.#submit([{ type: "discard", body }], 0, undefined).catch(() => {}); // else it is swept in a day
      throw error;
    }
  }

  /** Rejects a condition that does not hold already, before a source is read for nothing. The store decides once more. */
  checkCondition(key: string, { ifMatch, ifNoneMatch }: PutOptions): void {
    if (ifMatch === undefined && ifNoneMatch === undefined) return;
    const row = this.#rows.info(key);
    const alive = row !== undefined && (row[3] === null || row[3] > this.#clock.now());
    const holds = ifMatch === undefined ? !alive : alive && row[1] === ifMatch;
    if (!holds) throw otherVersion("write", storageName, key);
  }

  #changeOf(operation: Operation<Bytes>, now: number): Put | Remove {
    const { key } = operation;
    checkKey(key, "batch", storageName);
    if (operation.type === "delete") return { type: "delete", key, ifMatch: operation.options?.ifMatch };
    checkBytes(operation.value, "batch", storageName, key);
    return this.#putOf(key, operation.value, operation.options, now);
  }

  #putOf(key: string, value: Uint8Array, options: PutOptions | undefined, now: number): Put {
    const version = this.#versionOf(options, now);
    return { type: "put", key, value, version, ifMatch: options?.ifMatch, ifNoneMatch: options?.ifNoneMatch };
  }

  #versionOf(options: PutOptions | undefined, modifiedAt: number): Version {
    const metadata = options?.metadata;
    return {
      etag: this.#etags.next(),
      modifiedAt,
      expiresAt: withExpiry(options, this.#clock)?.expiresAt,
      metadata: metadata === undefined || Object.keys(metadata).length === 0 ? undefined : JSON.stringify(metadata),
    };
  }

  /** Makes a change and answers with `result`, or rejects with why it could not be made. */
  #make<T = undefined>(change: Change, { operation, key, signal }: Call, size = 0, result?: T): Promise<T> {
    const made = new Promise<T>((resolve, reject) => {
      const settle = ([outcome = done]: readonly Outcome[]): void => {
        if (outcome === done) resolve(result as T);
        else reject(whyNot(outcome, operation, key));
      };
      const refuse = (error: unknown): void => reject(translate(error, operation, key, signal));
      this.#commits.submit({ changes: [change], size, signal, settle, reject: refuse });
    });
    return signal === undefined ? made : untilAborted(made, signal);
  }

  #submit(changes: readonly Change[], size: number, signal: AbortSignal | undefined): Promise<readonly Outcome[]> {
    const settled = new Promise<readonly Outcome[]>((settle, reject) => this.#commits.submit({ changes, size, signal, settle, reject }));
    return signal === undefined ? settled : untilAborted(settled, signal);
  }
}

/** Cuts a stream into chunks of one size. */
class Chunks {
  #chunk = new Uint8Array(chunkSize);
  #filled = 0;
  size = 0;

  /** The chunks that became full. */
  *add(bytes: Uint8Array): Generator<Uint8Array> {
    this.size += bytes.byteLength;
    for (let start = 0; start < bytes.byteLength;) {
      const part = bytes.subarray(start, start + chunkSize - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.byteLength;
      start += part.byteLength;
      if (this.#filled < chunkSize) continue;
      yield this.#chunk;
      this.#chunk = new Uint8Array(chunkSize);
      this.#filled = 0;
    }
  }

  rest(): Uint8Array {
    return this.#chunk.subarray(0, this.#filled);
  }
}

function whyNot(outcome: Outcome, operation: string, key: string | undefined): Error {
  return typeof outcome === "number" ? otherVersion(operation, storageName, key!) : errorOf(outcome, operation, key);
}

function writtenInfo(key: string, size: number, { etag, modifiedAt, expiresAt, metadata }: Version): EntryInfo {
  return infoOf(key, [size, etag, modifiedAt, expiresAt ?? null, metadata ?? null]);
}

const sizeOf = (change: Put | Remove): number => (change.type === "put" ? change.value.byteLength : 0);
