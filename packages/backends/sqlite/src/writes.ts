import type { DatabaseSync, StatementSync } from "node:sqlite";
import { rangeUnder } from "@stowage/core";
import type { AddChunk, All, Change, Clear, Fault, Outcome, Publish, Put, Remove } from "./changes.ts";
import { done } from "./changes.ts";
import { isPlain, manyPlain, Puts } from "./puts.ts";
import { afterAllKeys } from "./rows.ts";
import type { Names } from "./schema.ts";
import { chunkSize } from "./schema.ts";

/** Entries that one `clear` removes. */
const clearedAtOnce = 1_000;

/** Chunks of hidden bodies, and expired entries, that one transaction removes beside its changes. */
const chunksSweptAtOnce = 8;
const entriesSweptAtOnce = 100;

/** Milliseconds between two looks for expired entries. */
const sweepInterval = 1_000;

/** Milliseconds after which an unpublished body that gets no chunks any more was left behind by a process that died. */
const abandonedAfter: number = 24 * 3_600_000;

/** What becomes of the writer of such a body when it was alive all the same. */
const takenForAbandoned: Fault = {
  code: "conflict",
  message: "The value that was being written got no bytes for a day and was taken for abandoned; write it again.",
  outcome: "none",
  cause: undefined,
};

/** The writes of one table on one connection. All but `applyAlone` run inside a transaction that the caller holds. */
export class Writes {
  readonly #database: DatabaseSync;
  readonly #names: Names;
  readonly #statements = new Map<string, StatementSync>();
  readonly #puts: Puts;
  #nextSweep = Number.NEGATIVE_INFINITY;
  #hasHidden = true;

  constructor(database: DatabaseSync, names: Names) {
    this.#database = database;
    this.#names = names;
    this.#puts = new Puts(database, names);
  }

  /** Makes a plain put by itself, outside of a transaction. Answers whether it did: nothing has changed if not. */
  applyAlone(change: Change, now: number): boolean {
    return !this.#hasHidden && now < this.#nextSweep && isPlain(change) && this.#puts.putPlain(change);
  }

  /** Makes changes one after the other; plain puts share a statement. */
  applyEach(changes: readonly Change[], now: number): Outcome[] {
    const outcomes: Outcome[] = [];
    while (outcomes.length < changes.length) {
      const start = outcomes.length;
      const some = changes.slice(start, start + (manyPlain.find((many) => start + many <= changes.length) ?? 1));
      const together = some.length > 1 && some.every(isPlain) && this.#puts.putManyPlain(some);
      for (const change of some) outcomes.push(together ? done : this.apply(change, now));
    }
    return outcomes;
  }

  apply(change: Change, now: number): Outcome {
    switch (change.type) {
      case "put":
        return this.#applyPut(change, now);
      case "delete":
        return this.#applyRemove(change, now);
      case "all":
        return this.#applyAll(change, now);
      case "clear":
        return this.#applyClear(change);
      case "chunk":
        return this.#applyChunk(change, now);
      case "publish":
        return this.#applyPublish(change, now);
      case "discard":
        this.#run(`UPDATE ${this.#names.hidden} SET since = 0 WHERE body = ?`, change.body);
        this.#hasHidden = true;
        return done;
    }
  }

  /** Removes some of what nobody sees any more: bodies and expired entries. Answers whether there is more. */
  sweep(now: number): boolean {
    let more = false;
    if (now >= this.#nextSweep) {
      const { entries } = this.#names;
      const { changes } = this.#run(
        `DELETE FROM ${entries} WHERE id IN (SELECT id FROM ${entries} WHERE expires_at <= ? LIMIT ${entriesSweptAtOnce})`,
        now,
      );
      more = Number(changes) === entriesSweptAtOnce;
      if (!more) this.#nextSweep = now + sweepInterval;
      this.#hasHidden = true;
    }
    if (this.#hasHidden) this.#hasHidden = this.#sweepChunks(now);
    return more || this.#hasHidden;
  }

  #applyPut(put: Put, now: number): number {
    if (isPlain(put) && this.#puts.putPlain(put)) return done;
    const { key, value, version, ifMatch, ifNoneMatch } = put;
    if (!this.#holds(key, ifMatch, ifNoneMatch, now)) return 0;
    if (version.expiresAt !== undefined && version.expiresAt <= now) return this.#remove(key);
    const size = value.byteLength;
    if (size <= chunkSize) {
      this.#puts.put(key, size, version, value, null);
      return done;
    }
    const body = newBody();
    for (let start = 0, position = 0; start < size; start += chunkSize, position++) {
      this.#addChunk(body, position, value.subarray(start, start + chunkSize));
    }
    this.#puts.put(key, size, version, null, body);
    this.#hasHidden = true;
    return done;
  }

  #applyRemove({ key, ifMatch }: Remove, now: number): number {
    return this.#holds(key, ifMatch, undefined, now) ? this.#remove(key) : 0;
  }

  #applyAll({ changes }: All, now: number): number {
    this.#run("SAVEPOINT batch");
    const failed = this.applyEach(changes, now).findIndex((outcome) => outcome !== done);
    if (failed !== -1) this.#run("ROLLBACK TO batch");
    this.#run("RELEASE batch");
    return failed === -1 ? done : failed;
  }

  #applyClear({ prefix, newest }: Clear): number {
    const { entries } = this.#names;
    const { from, end = afterAllKeys } = rangeUnder(prefix);
    const { changes } = this.#run(
      `DELETE FROM ${entries} WHERE id IN
         (SELECT id FROM ${entries} WHERE key >= CAST(? AS BLOB) AND key < CAST(? AS BLOB) AND id <= ? LIMIT ${clearedAtOnce})`,
      from,
      end,
      newest,
    );
    this.#hasHidden = true;
    return Number(changes) < clearedAtOnce ? done : 0;
  }

  #applyChunk({ body, position, bytes }: AddChunk, now: number): Outcome {
    const { hidden } = this.#names;
    const since = Math.max(now, 1); // 0 is that of a body to be swept
    if (position === 0) this.#run(`INSERT INTO ${hidden} (body, since) VALUES (?, ?)`, body, since);
    else if (this.#run(`UPDATE ${hidden} SET since = ? WHERE body = ? AND since > 0`, since, body).changes !== 1) return takenForAbandoned;
    this.#addChunk(body, position, bytes);
    return done;
  }

  #applyPublish({ key, body, size, version, ifMatch, ifNoneMatch }: Publish, now: number): Outcome {
    const { hidden } = this.#names;
    const holds = this.#holds(key, ifMatch, ifNoneMatch, now);
    const expired = version.expiresAt !== undefined && version.expiresAt <= now;
    if (!holds || expired) {
      this.#run(`UPDATE ${hidden} SET since = 0 WHERE body = ?`, body);
      this.#hasHidden = true;
      return holds ? this.#remove(key) : 0;
    }
    if (this.#run(`DELETE FROM ${hidden} WHERE body = ? AND since > 0`, body).changes !== 1) return takenForAbandoned;
    this.#puts.put(key, size, version, null, body);
    this.#hasHidden = true;
    return done;
  }

  #holds(key: string, ifMatch: string | undefined, ifNoneMatch: "*" | undefined, now: number): boolean {
    if (ifMatch === undefined && ifNoneMatch === undefined) return true;
    const sql = `SELECT etag, expires_at FROM ${this.#names.entries} WHERE key = CAST(? AS BLOB)`;
    const row = this.#statement(sql).get(key) as { etag: string; expires_at: number | null } | undefined;
    const alive = row !== undefined && (row.expires_at === null || row.expires_at > now);
    return ifMatch === undefined ? !alive : alive && row.etag === ifMatch;
  }

  #remove(key: string): number {
    this.#run(`DELETE FROM ${this.#names.entries} WHERE key = CAST(? AS BLOB)`, key);
    this.#hasHidden = true;
    return done;
  }

  #addChunk(body: number, position: number, bytes: Uint8Array): void {
    this.#run(`INSERT INTO ${this.#names.chunks} (body, position, bytes) VALUES (?, ?, ?)`, body, position, bytes);
  }

  /** Answers whether there may be more. An abandoned body is claimed first, so that nobody goes on with what is left of it. */
  #sweepChunks(now: number): boolean {
    const { chunks, hidden } = this.#names;
    const found = this.#statement(`SELECT body FROM ${hidden} WHERE since <= ? LIMIT 1`).get(now - abandonedAfter) as
      | { body: number }
      | undefined;
    if (found === undefined) return false;
    this.#run(`UPDATE ${hidden} SET since = 0 WHERE body = ? AND since > 0`, found.body);
    const { changes } = this.#run(
      `DELETE FROM ${chunks} WHERE rowid IN (SELECT rowid FROM ${chunks} WHERE body = ? LIMIT ${chunksSweptAtOnce})`,
      found.body,
    );
    if (Number(changes) < chunksSweptAtOnce) this.#run(`DELETE FROM ${hidden} WHERE body = ?`, found.body);
    return true;
  }

  #run(sql: string, ...values: (string | number | Uint8Array)[]): { readonly changes: number | bigint } {
    return this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** The name of a new body. Two of 2^52 that are alike are refused by the database, before anything is lost. */
export function newBody(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0xfffff) * 2 ** 32 + low;
}
