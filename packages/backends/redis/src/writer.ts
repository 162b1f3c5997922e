import type { Bytes, ByteSource, Clock, DeleteOptions, EntryInfo, Operation, PutOptions, RecordVersion, WriteOptions } from "@stowage/core";
import { cancelSource, Etags, otherVersion, StorageError } from "@stowage/core";
import type { Bodies } from "./bodies.ts";
import { cut } from "./bodies.ts";
import type { Argument, Connection, Reply } from "./command.ts";
import type { CallOf } from "./errors.ts";
import { storageName } from "./errors.ts";
import type { Names } from "./names.ts";
import type { Replicas } from "./replicas.ts";
import { change, grace, look, put, run } from "./scripts.ts";
import type { Body } from "./stored.ts";
import { bodyOf, chunkSize, infoOf as storedInfo, packReference, packWhole } from "./stored.ts";

/** Operations of one atomic batch. The server takes about a million words in one command. */
const mostOperations = 100_000;

/** Bytes of a value that is put without a script. */
const smallValue = 4_096;

/** One put or delete, as the script takes it. */
interface Change {
  readonly key: string;
  readonly condition: string;
  /** Empty for a delete. */
  readonly stored: Argument;
  readonly expires: string;
  readonly body?: Body | undefined;
}

/** Changes entries. */
export class Writer {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #bodies: Bodies;
  readonly #clock: Clock;
  readonly #ordered: boolean;
  readonly #replicas: Replicas | undefined;
  readonly #etags = new Etags();

  constructor(settings: {
    readonly connection: Connection;
    readonly names: Names;
    readonly bodies: Bodies;
    readonly clock: Clock;
    readonly ordered: boolean;
    readonly replicas: Replicas | undefined;
  }) {
    this.#connection = settings.connection;
    this.#names = settings.names;
    this.#bodies = settings.bodies;
    this.#clock = settings.clock;
    this.#ordered = settings.ordered;
    this.#replicas = settings.replicas;
  }

  put(key: string, value: Uint8Array, options: WriteOptions | undefined, operation = "put"): Promise<EntryInfo> {
    const call = { operation, key, writes: true };
    const version = this.#version(options);
    const info = infoOf(key, value.byteLength, version);
    if (value.byteLength > chunkSize) return this.#putChunks(call, value, version, options);
    const stored = packWhole(version, value);
    if (this.#ordered || conditionOf(options) !== "") {
      const changed = this.#change(call, [{ key, condition: conditionOf(options), stored, expires: expiresOf(version) }]);
      return changed.then(() => info);
    }
    const name = this.#names.entry(key);
    const written =
      value.byteLength <= smallValue
        ? this.#putSmall(name, stored, version, call, info)
        : this.#putWhole(name, stored, version, call, info);
    return this.#replicas === undefined ? written : this.#replicas.after(written, name, call);
  }

  async delete(key: string, options: DeleteOptions | undefined, operation = "delete"): Promise<void> {
    await this.#change({ operation, key, writes: true }, [{ key, condition: conditionOf(options), stored: "", expires: "" }]);
  }

  async write(key: string, source: ByteSource, options: WriteOptions): Promise<EntryInfo> {
    const call = { operation: "write", key, writes: true };
    await this.#checkCondition(call, options, source);
    const stop = new AbortController();
    const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
    const chunks = cut(source, { size: options.size, signal, key });
    const first = (await chunks.next()).value ?? new Uint8Array(0);
    const second = first.byteLength < chunkSize ? undefined : await chunks.next();
    if (second?.value === undefined || second.value.byteLength === 0) {
      await chunks.next(); // so that the source is at its end
      return await this.put(key, first, options, "write");
    }
    const all = async function* (): AsyncGenerator<Uint8Array, void, void> {
      try {
        yield first;
        yield second.value as Uint8Array;
        yield* chunks;
      } finally {
        await chunks.return(); // also where it was not begun
      }
    };
    const name = this.#newBody(key);
    try {
      const body = await this.#bodies.addAll(name, all(), call, stop);
      options.signal?.throwIfAborted();
      const version = this.#version(options);
      await this.#publish(call, body, version, options);
      return infoOf(key, body.size, version);
    } catch (error) {
      if (isSettled(error)) this.#bodies.discard(name, call);
      throw error;
    }
  }

  /** All or none. */
  async batch(operations: readonly Operation<Bytes>[], signal?: AbortSignal): Promise<void> {
    if (operations.length === 0) return;
    if (operations.length > mostOperations) {
      throw new StorageError("too-large", `An atomic batch takes at most ${mostOperations} operations, got ${operations.length}.`, {
        operation: "batch",
        storage: storageName,
      });
    }
    const call = { operation: "batch", writes: true };
    const bodies: string[] = [];
    const changes: Change[] = [];
    try {
      for (const operation of operations) {
        const { key, type, options } = operation;
        const condition = conditionOf(options);
        if (type === "delete") {
          changes.push({ key, condition, stored: "", expires: "" });
          continue;
        }
        const version = this.#version(operation.options);
        const expires = expiresOf(version);
        if (operation.value.byteLength <= chunkSize) {
          changes.push({ key, condition, stored: packWhole(version, operation.value), expires });
          continue;
        }
        const name = this.#newBody(key);
        bodies.push(name);
        const body = await this.#bodies.add(name, operation.value, { ...call, key }, signal);
        changes.push({ key, condition, stored: packReference(version, body), expires, body });
      }
      signal?.throwIfAborted();
      await this.#change(call, changes);
    } catch (error) {
      if (isSettled(error)) for (const name of bodies) this.#bodies.discard(name, call);
      throw error;
    }
  }

  /**
   * One plain command, which costs the server a quarter of a script. It gives what was there before, so that chunks of that
   * can go; such a value is small as a rule where the new one is.
   */
  #putSmall(name: string, stored: Buffer, version: RecordVersion, call: CallOf, info: EntryInfo): Promise<EntryInfo> {
    const command: Argument[] = ["SET", name, stored, "GET"];
    if (version.expiresAt !== undefined) command.push("PXAT", expiresOf(version));
    return this.#connection.send<EntryInfo | Promise<EntryInfo>>(name, command, call, (old) => {
      const body = old === null ? undefined : bodyOf(old as Buffer, call.key!);
      return body === undefined ? info : this.#retire(body.name, call).then(() => info);
    }) as Promise<EntryInfo>;
  }

  #putWhole(name: string, stored: Buffer, version: RecordVersion, call: CallOf, info: EntryInfo): Promise<EntryInfo> {
    const args = version.expiresAt === undefined ? [stored] : [stored, expiresOf(version)];
    return run(this.#connection, put, [name], args, call, () => info);
  }

  /** Lets chunks go that no entry leads to. The write that left them has been made, whatever comes of this. */
  async #retire(body: string, call: CallOf): Promise<void> {
    await this.#connection.send(body, ["PEXPIRE", body, String(grace), "LT"], call, () => {}).catch(() => {});
  }

  async #putChunks(call: CallOf, value: Uint8Array, version: RecordVersion, options: WriteOptions | undefined): Promise<EntryInfo> {
    const key = call.key!;
    const name = this.#newBody(key);
    try {
      const body = await this.#bodies.add(name, value, call, options?.signal);
      await this.#publish(call, body, version, options);
      return infoOf(key, body.size, version);
    } catch (error) {
      if (isSettled(error)) this.#bodies.discard(name, call);
      throw error;
    }
  }

  #publish(call: CallOf, body: Body, version: RecordVersion, options: PutOptions | undefined): Promise<void> {
    const stored = packReference(version, body);
    return this.#change(call, [{ key: call.key!, condition: conditionOf(options), stored, expires: expiresOf(version), body }]);
  }

  /** So that no source is read for nothing. It is decided when all is there, by the server. */
  async #checkCondition(call: CallOf, options: WriteOptions, source: ByteSource): Promise<void> {
    const { ifMatch, ifNoneMatch } = options;
    if (ifMatch === undefined && ifNoneMatch === undefined) return;
    try {
      const key = call.key!;
      const etag = await run(this.#connection, look, [this.#names.entry(key)], [], { ...call, writes: false }, (reply: Reply) =>
        reply === null ? undefined : storedInfo((reply as readonly [Buffer])[0], key).etag,
      );
      if (etag !== ifMatch) throw otherVersion("write", storageName, key);
    } catch (error) {
      cancelSource(source, error);
      throw error;
    }
  }

  async #change(call: CallOf, changes: readonly Change[]): Promise<void> {
    const names = changes.map(({ key }) => this.#names.entry(key));
    const args: Argument[] = [this.#ordered ? "1" : "0"];
    for (const { key, condition, stored, expires, body } of changes) {
      const chunks = body === undefined ? "" : String(Math.ceil(body.size / body.chunkSize));
      args.push(condition, stored, expires, body?.name ?? "", chunks, key);
    }
    const keys = this.#ordered ? [...names, this.#names.index] : names;
    const changed = run(this.#connection, change, keys, args, call, (reply: Reply) => reply as number);
    const failed = await (this.#replicas === undefined ? changed : this.#replicas.after(changed, names[0]!, call));
    if (failed > 0) throw otherVersion(call.operation, storageName, changes[failed - 1]!.key);
    if (failed < 0) {
      throw new StorageError("conflict", "The chunks that were written are not there any more: it took too long to write them all.", {
        operation: call.operation,
        key: changes[-failed - 1]!.key,
        storage: storageName,
      });
    }
  }

  #version(options: Pick<PutOptions, "ttl" | "expiresAt" | "metadata"> | undefined): RecordVersion {
    const modifiedAt = this.#clock.now();
    const etag = this.#etags.next();
    if (options === undefined) return { etag, modifiedAt };
    const { ttl, expiresAt = ttl === undefined ? undefined : modifiedAt + ttl, metadata } = options;
    // The server knows whole milliseconds, so that is what is told.
    const end = expiresAt === undefined ? undefined : Math.ceil(expiresAt);
    return { etag, modifiedAt, expiresAt: end, metadata: metadata === undefined ? undefined : { ...metadata } };
  }

  #newBody(key: string): string {
    return this.#names.body(key, this.#etags.next());
  }
}

function conditionOf(options: { readonly ifMatch?: string | undefined; readonly ifNoneMatch?: "*" | undefined } | undefined): string {
  if (options?.ifNoneMatch !== undefined) return "*";
  return options?.ifMatch === undefined ? "" : `=${options.ifMatch}`;
}

/** The last millisecond of its life: the server serves it in that one, and must not in the next. */
function expiresOf({ expiresAt }: RecordVersion): string {
  return expiresAt === undefined ? "" : String(Math.min(Math.max(expiresAt - 1, 1), latest));
}

/** As late as the numbers of a script go. */
const latest: number = Number.MAX_SAFE_INTEGER - grace;

function infoOf(key: string, size: number, { etag, modifiedAt, expiresAt, metadata }: RecordVersion): EntryInfo {
  return { key, size, etag, modifiedAt, ...(expiresAt !== undefined && { expiresAt }), ...(metadata !== undefined && { metadata }) };
}

/** Whether it is sure that nobody sees what was written. */
const isSettled = (error: unknown): boolean => !StorageError.is(error) || error.outcome === "none";
