import type { DatabaseSync } from "node:sqlite";
import type { Bytes, Turns } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import type { EntryRow, Rows } from "./rows.ts";
import { chunkSize } from "./schema.ts";

/** Connections that are kept for the next reader. */
const mostIdle = 4;

interface Connection {
  readonly database: DatabaseSync;
  readonly rows: Rows;
}

/** An entry whose value lies in chunks, as it is at one moment: its chunks stay, whatever happens to the entry. */
export interface Body {
  readonly row: EntryRow;
  /** The bytes from `start` to the end of their chunk, or to `end`. */
  chunk(start: number, end: number): Bytes;
  close(): void;
}

/**
 * Reads values that lie in chunks. Each reader has a connection of its own, with a read transaction that is open until the
 * last chunk, so that all chunks are of one version.
 */
export class Bodies {
  readonly #connect: () => Connection;
  readonly #turns: Turns;
  readonly #idle: Connection[] = [];
  /** Streams that callers have not finished, to be ended with the storage. */
  readonly #streams = new Set<(reason: unknown) => void>();
  #stopped = false;

  constructor(connect: () => Connection, turns: Turns) {
    this.#connect = connect;
    this.#turns = turns;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  open(key: string): Body | undefined {
    const connection = this.#idle.pop() ?? this.#connect();
    const close = (): void => this.#giveBack(connection);
    try {
      connection.database.exec("BEGIN");
      const row = connection.rows.entry(key);
      if (row !== undefined) return { row, chunk: (start, end) => chunkOf(connection.rows, key, row, start, end), close };
    } catch (error) {
      close();
      throw error;
    }
    close();
    return undefined;
  }

  /** The whole value of a body, which is closed. */
  async whole(body: Body): Promise<Bytes> {
    try {
      const [size] = body.row;
      const value = new Uint8Array(size);
      for (let position = 0; position < size; position += chunkSize) {
        if (!this.#turns.hasTime) await this.#turns.next();
        value.set(body.chunk(position, size), position);
      }
      return value;
    } finally {
      body.close();
    }
  }

  /** Part of a body as a stream, which closes the body when it ends, fails, is cancelled or aborted. */
  stream(
    body: Body,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
    fail: (error: unknown) => unknown,
  ): ReadableStream<Bytes> {
    let position = start;
    let open = true;
    let stop = (_reason: unknown): void => {};
    const onAbort = (): void => stop(signal?.reason);
    const finish = (): void => {
      if (!open) return;
      open = false;
      this.#streams.delete(stop);
      signal?.removeEventListener("abort", onAbort);
      body.close();
    };
    return new ReadableStream<Bytes>(
      {
        start: (controller) => {
          stop = (reason) => {
            if (!open) return;
            finish();
            controller.error(reason);
          };
          this.#streams.add(stop);
          if (signal?.aborted) onAbort();
          else signal?.addEventListener("abort", onAbort, { once: true });
        },
        pull: async (controller) => {
          if (!this.#turns.hasTime) await this.#turns.next();
          if (!open) return;
          try {
            const bytes = position < end ? body.chunk(position, end) : undefined;
            if (bytes !== undefined) controller.enqueue(bytes);
            position += bytes?.byteLength ?? 0;
            if (position < end) return;
            finish();
            controller.close();
          } catch (error) {
            stop(fail(error));
          }
        },
        cancel: finish,
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends every open stream with a reason, and closes the connections. */
  stop(reason: unknown): void {
    this.#stopped = true;
    for (const stop of this.#streams) stop(reason);
    for (const { database } of this.#idle.splice(0)) database.close();
  }

  #giveBack(connection: Connection): void {
    const { database } = connection;
    if (database.isTransaction) database.exec("COMMIT");
    if (this.#stopped || this.#idle.length === mostIdle) database.close();
    else this.#idle.push(connection);
  }
}

function chunkOf(rows: Rows, key: string, [size, , , , , body, value]: EntryRow, start: number, end: number): Bytes {
  const position = Math.floor(start / chunkSize);
  const chunk = body === null ? (value ?? undefined) : rows.chunk(body, position);
  const first = body === null ? 0 : position * chunkSize;
  const expected = body === null ? size : Math.min(chunkSize, size - first);
  if (chunk?.byteLength !== expected) {
    throw new StorageError("corrupt", `The database lacks bytes of the value from ${first} on; restore a backup.`, {
      operation: "read",
      storage: storageName,
      key,
    });
  }
  const last = Math.min(end - first, expected);
  return start === first && last === expected ? chunk : chunk.slice(start - first, last);
}
