import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Committed } from "@stowage/core";
import type { Change, Fault, Outcome } from "./changes.ts";
import { done } from "./changes.ts";
import { faultOf, isBusy, isUnsure } from "./faults.ts";
import type { Names } from "./schema.ts";
import { Writes } from "./writes.ts";

/** Makes groups of changes, each in one transaction, on one connection. */
export class Transactions {
  readonly #database: DatabaseSync;
  readonly #writes: Writes;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #durability: "power" | "process";
  #synced = true;

  constructor(database: DatabaseSync, names: Names, durability: "power" | "process") {
    this.#database = database;
    this.#writes = new Writes(database, names);
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#durability = durability;
  }

  /**
   * Makes all changes of a group, each of which succeeds or fails by itself: where one cannot be made, each of them gets a
   * transaction of its own.
   *
   * @throws the error of SQLite when another connection holds the lock; nothing has changed then
   */
  run(changes: readonly Change[], now: number): Committed<Outcome> {
    this.#syncFor(changes);
    return this.#runPlain(changes, now) ?? this.#runTogether(changes, now);
  }

  /** A statement that stands alone is a transaction, without two more that begin and end it. */
  #runPlain(changes: readonly Change[], now: number): Committed<Outcome> | undefined {
    if (changes.length !== 1) return undefined;
    try {
      return this.#writes.applyAlone(changes[0]!, now) ? { outcomes: [done], more: false } : undefined;
    } catch (error) {
      if (isBusy(error)) throw error;
      return { outcomes: [fault(error)], more: false };
    }
  }

  #runTogether(changes: readonly Change[], now: number): Committed<Outcome> {
    this.#begin.run();
    try {
      const outcomes = this.#writes.applyEach(changes, now);
      const more = this.#writes.sweep(now);
      this.#commit.run();
      return { outcomes, more };
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      if (isUnsure(error) || changes.length <= 1) return { outcomes: changes.map(() => fault(error)), more: false };
    }
    return { outcomes: changes.map((change) => this.#runAlone(change, now)), more: true };
  }

  #runAlone(change: Change, now: number): Outcome {
    try {
      return this.run([change], now).outcomes[0]!;
    } catch (error) {
      return fault(error); // another connection came in between
    }
  }

  /**
   * Chunks of a body need no sync of their own. The log is one file, written in order: the sync of the change that
   * publishes the body covers them too.
   */
  #syncFor(changes: readonly Change[]): void {
    if (this.#durability === "process") return;
    const sync = !changes.every(({ type }) => type === "chunk" || type === "discard");
    if (sync === this.#synced) return;
    this.#database.exec(`PRAGMA synchronous = ${sync ? "FULL" : "NORMAL"}`);
    this.#synced = sync;
  }
}

function fault(error: unknown): Fault {
  const known = faultOf(error, isUnsure(error) ? "unknown" : "none");
  if (known !== undefined) return known;
  const message = error instanceof Error ? error.message : "The change could not be made.";
  return { code: "internal", message, outcome: "none", cause: error };
}
