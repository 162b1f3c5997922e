import assert from "node:assert/strict";
import type { Bytes, Operation, Storage } from "@stowage/core";
import { findLayer, isByteStorage, StorageError } from "@stowage/core";
import { call as begin, describe, turn } from "../contract/assertions.ts";
import { isEqual } from "../equal.ts";
import type { Random } from "../faults/random.ts";
import { FaultyStorage } from "../faulty.ts";
import type { Action, Expected, HistoryCall } from "./linearizability.ts";
import { fateOf } from "./outcomes.ts";
import { collect, sourceOf } from "./streams.ts";

export interface HistoryOptions {
  /** Storages over the same data, among which the clients are spread. */
  readonly storages: readonly Storage<unknown>[];
  readonly clients: number;
  /** Calls of each client. */
  readonly calls: number;
  readonly keys: readonly string[];
  /** A value for each number, all different. */
  readonly value: (number: number) => unknown;
  readonly random: Random;
}

/** What a client did with one key: a write that may be unknown, or an answer. */
interface Seen {
  readonly key: string;
  readonly action: Action;
  readonly unknown?: boolean;
}

/** A version that a client knows, to write over it. */
interface Version {
  readonly etag: string;
  readonly value: number;
}

/** What a client does next, the likelier the more often it is named here. */
const likely = [
  "get",
  "get",
  "getEntry",
  "getEntry",
  "has",
  "getEntries",
  "delete",
  "batch",
  "create",
  "replace",
  "read",
  "write",
  "put",
] as const;

/** Lets clients make random calls at once, and notes for each key what they did and saw. */
export class HistoryRecorder {
  readonly #options: HistoryOptions;
  readonly #values: unknown[] = [];
  readonly #histories = new Map<string, HistoryCall[]>();
  readonly #mayFail: boolean;
  #time = 0;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#mayFail = options.storages.some((storage) => findLayer(storage, FaultyStorage) !== undefined);
  }

  /** Runs all clients to their ends. Gives the history of each key. */
  async record(): Promise<ReadonlyMap<string, readonly HistoryCall[]>> {
    const { clients, storages } = this.#options;
    await Promise.all(Array.from({ length: clients }, (_, client) => this.#runClient(client, storages[client % storages.length]!)));
    return this.#histories;
  }

  async #runClient(client: number, storage: Storage<unknown>): Promise<void> {
    const { calls, random } = this.#options;
    const known = new Map<string, Version>();
    for (let count = 0; count < calls; count++) {
      for (let pause = random.below(3); pause > 0; pause--) await (random.next() < 0.5 ? turn() : Promise.resolve());
      const start = ++this.#time;
      const seen = await this.#act(storage, known);
      const end = ++this.#time;
      for (const { key, action, unknown } of seen) {
        const history = this.#histories.get(key) ?? [];
        this.#histories.set(key, history);
        history.push({ client, start, end: unknown === true ? Number.POSITIVE_INFINITY : end, action });
      }
    }
  }

  /** Makes one random call. Gives what it did to each key, or saw of it. */
  async #act(storage: Storage<unknown>, known: Map<string, Version>): Promise<readonly Seen[]> {
    const { keys, random } = this.#options;
    const key = keys[random.below(keys.length)]!;
    const conditions = storage.capabilities.conditions;
    const version = known.get(key);
    switch (likely[random.below(likely.length)]!) {
      case "get":
        return await this.#read(key, () => storage.get(key));
      case "getEntry":
        return await this.#readVersion(storage, key, known);
      case "has":
        return await this.#ask(
          () => storage.has(key),
          (found) => [{ key, action: { type: "has", found } }],
        );
      case "getEntries":
        return await this.#ask(
          () => storage.getEntries(keys),
          (entries) => keys.map((each, index) => ({ key: each, action: { type: "read", found: this.#numberOf(entries[index]?.value) } })),
        );
      case "delete":
        return await this.#delete(storage, key, conditions.includes("delete") && random.next() < 0.5 ? version : undefined);
      case "batch":
        return await this.#batch(storage);
      case "create":
        if (!conditions.includes("create")) break;
        return await this.#put(storage, key, { ifNoneMatch: "*" }, { value: undefined });
      case "replace":
        if (!conditions.includes("replace") || version === undefined) break;
        return await this.#put(storage, key, { ifMatch: version.etag }, { value: version.value });
      case "read":
        if (!isByteStorage(storage) || storage.capabilities.streams === "none") break;
        return await this.#read(key, () => storage.read(key).then((entry) => entry && collect(entry.value)));
      case "write":
        if (!isByteStorage(storage) || storage.capabilities.streams === "none") break;
        return await this.#write(key, (value) => storage.write(key, sourceOf(value as Bytes, "iterable")));
      case "put":
        break;
    }
    return await this.#put(storage, key);
  }

  #read(key: string, start: () => Promise<unknown>): Promise<readonly Seen[]> {
    return this.#ask(start, (value) => [{ key, action: { type: "read", found: this.#numberOf(value) } }]);
  }

  /** Reads an entry, and remembers its version. */
  async #readVersion(storage: Storage<unknown>, key: string, known: Map<string, Version>): Promise<readonly Seen[]> {
    return await this.#ask(
      () => storage.getEntry(key),
      (entry) => {
        const found = this.#numberOf(entry?.value);
        if (found !== undefined && entry?.etag !== undefined) known.set(key, { etag: entry.etag, value: found });
        return [{ key, action: { type: "read", found } }];
      },
    );
  }

  #put(
    storage: Storage<unknown>,
    key: string,
    options?: { readonly ifMatch: string } | { readonly ifNoneMatch: "*" },
    condition?: Expected,
  ): Promise<readonly Seen[]> {
    return this.#write(key, (value) => storage.put(key, value, options), condition);
  }

  #write(key: string, start: (value: unknown) => Promise<unknown>, condition?: Expected): Promise<readonly Seen[]> {
    const number = this.#nextNumber();
    const action: Action = { type: "write", value: number, ...(condition && { condition }) };
    return this.#change(() => start(this.#options.value(number)), [{ key, action }]);
  }

  #delete(storage: Storage<unknown>, key: string, version: Version | undefined): Promise<readonly Seen[]> {
    const action: Action = { type: "write", value: undefined, ...(version && { condition: { value: version.value } }) };
    return this.#change(() => storage.delete(key, version && { ifMatch: version.etag }), [{ key, action }]);
  }

  #batch(storage: Storage<unknown>): Promise<readonly Seen[]> {
    const changes = this.#options.keys.map((key): Seen => {
      return { key, action: { type: "write", value: this.#options.random.next() < 0.3 ? undefined : this.#nextNumber() } };
    });
    const operations = changes.map(({ key, action }): Operation<unknown> => {
      if (action.type !== "write" || action.value === undefined) return { type: "delete", key };
      return { type: "put", key, value: this.#options.value(action.value) };
    });
    return this.#change(() => storage.batch(operations), changes);
  }

  /** Makes a call that reads. One that failed by a fault saw nothing. */
  async #ask<T>(start: () => Promise<T>, see: (answer: T) => readonly Seen[]): Promise<readonly Seen[]> {
    let answer: T;
    try {
      answer = await begin(start);
    } catch (reason) {
      this.#excuse(reason);
      return [];
    }
    return see(answer);
  }

  /** Makes a call that writes. One that failed by a fault did nothing, or nobody knows. */
  async #change(start: () => Promise<unknown>, changes: readonly Seen[]): Promise<readonly Seen[]> {
    try {
      await begin(start);
      return changes;
    } catch (reason) {
      if (StorageError.is(reason, "precondition-failed")) {
        return changes.map(({ key, action }) => ({ key, action: { ...action, refused: true } as Action }));
      }
      this.#excuse(reason);
      return changes.flatMap((change, index) => {
        const fate = fateOf(reason, index, change.key);
        if (fate === "no") return [];
        return [{ ...change, unknown: fate === "maybe" }];
      });
    }
  }

  #excuse(reason: unknown): void {
    if (!this.#mayFail || reason instanceof assert.AssertionError) throw reason;
  }

  #nextNumber(): number {
    const number = this.#values.length;
    this.#values.push(this.#options.value(number));
    return number;
  }

  #numberOf(value: unknown): number | undefined {
    if (value === undefined) return undefined;
    const number = this.#values.findIndex((each) => isEqual(each, value));
    assert.ok(number !== -1, `A client read ${describe(value)}, which nobody wrote.`);
    return number;
  }
}
