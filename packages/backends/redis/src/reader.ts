import type { Bytes, Entry, EntryInfo, ReadOptions } from "@stowage/core";
import { otherVersion, resolveRange, StorageError, streamOf } from "@stowage/core";
import type { Bodies } from "./bodies.ts";
import { gone } from "./bodies.ts";
import type { Connection, Reply } from "./command.ts";
import type { CallOf } from "./errors.ts";
import { storageName } from "./errors.ts";
import type { Names } from "./names.ts";
import { look, run } from "./scripts.ts";
import { bodyOf, infoOf, valueOf } from "./stored.ts";

/** Times that a value in chunks is begun anew because it was replaced meanwhile. */
const mostTries = 3;

/** Looks at entries. */
export class Reader {
  readonly #connection: Connection;
  readonly #names: Names;
  readonly #bodies: Bodies;

  constructor(connection: Connection, names: Names, bodies: Bodies) {
    this.#connection = connection;
    this.#names = names;
    this.#bodies = bodies;
  }

  value(key: string): Promise<Bytes | undefined> {
    return this.#get(key, { operation: "get", key, writes: false }, (stored, call) =>
      stored[0] === 1 ? valueOf(stored, key) : this.#entry(stored, call).then(({ value }) => value),
    );
  }

  entry(key: string, operation = "getEntry"): Promise<Entry<Bytes> | undefined> {
    return this.#get(key, { operation, key, writes: false }, (stored, call) =>
      stored[0] === 1 ? { ...infoOf(stored, key), value: valueOf(stored, key) } : this.#entry(stored, call),
    );
  }

  info(key: string, operation = "head"): Promise<EntryInfo | undefined> {
    const call = { operation, key, writes: false };
    return run(this.#connection, look, [this.#names.entry(key)], [], call, (reply: Reply) => {
      if (reply === null) return undefined;
      const [stored, total] = reply as readonly [Buffer, number];
      return infoOf(stored, key, total);
    });
  }

  has(key: string, operation = "has"): Promise<boolean> {
    const name = this.#names.entry(key);
    return this.#connection.send(name, ["EXISTS", name], { operation, key, writes: false }, (reply) => reply === 1);
  }

  async stream(key: string, options: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const call = { operation: "read", key, writes: false };
    const stored = await this.#get(key, call, (found) => found);
    const info = stored === undefined ? undefined : infoOf(stored, key);
    if (options.ifMatch !== undefined && info?.etag !== options.ifMatch) throw otherVersion("read", storageName, key);
    if (stored === undefined || info === undefined) return undefined;
    const body = bodyOf(stored, key);
    if (body !== undefined) return { ...info, value: this.#bodies.stream(body, options, call) };
    const value = valueOf(stored, key);
    const { start, end } = resolveRange(value.byteLength, options.start, options.end);
    return { ...info, value: streamOf(end - start === value.byteLength ? value : value.slice(start, end), options.signal) };
  }

  #get<T>(key: string, call: CallOf, decode: (stored: Buffer, call: CallOf) => T | Promise<T>): Promise<T | undefined> {
    const name = this.#names.entry(key);
    return this.#connection.send<T | undefined | Promise<T>>(name, ["GET", name], call, (reply) =>
      reply === null ? undefined : decode(reply as Buffer, call),
    ) as Promise<T | undefined>;
  }

  /** An entry whose value lies in chunks. */
  async #entry(stored: Buffer, call: CallOf): Promise<Entry<Bytes>> {
    const key = call.key!;
    let found = stored;
    for (let tries = 1; tries <= mostTries; tries++) {
      const info = infoOf(found, key);
      const body = bodyOf(found, key);
      const value = body === undefined ? valueOf(found, key) : await this.#bodies.whole(body, call);
      if (value !== undefined) return { ...info, value };
      const again = await this.#get(key, call, (reply) => reply);
      if (again !== undefined && infoOf(again, key).etag === info.etag) throw gone(call, info);
      if (again === undefined)
        throw new StorageError("conflict", "The value was removed while it was read.", { ...call, storage: storageName });
      found = again;
    }
    throw gone(call);
  }
}
