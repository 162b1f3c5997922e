import assert from "node:assert/strict";
import type { Storage } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import type { Bus, Invalidation } from "../bus.ts";
import { CachedStorage } from "../cached.ts";
import { settle } from "../options.ts";
import { pick, seeded } from "./random.ts";
import { Scheduler, settled } from "./scheduler.ts";
import type { Fate } from "./steered-storage.ts";
import { SteeredStorage } from "./steered-storage.ts";
import { Truth } from "./truth.ts";

export interface InterleavingOptions {
  readonly seed: number;
  readonly withStore: boolean;
  readonly withBus: boolean;
  /** Whether messages of others may be lost. */
  readonly loses: boolean;
  /** Whether the process ends in the midst of it all, and another one goes on with what is stored. */
  readonly crashes: boolean;
}

/** What to check when a call has ended. */
interface Outcome<T> {
  /** Gives what to log. */
  readonly done: (result: T) => string;
  readonly failed: (error: unknown) => void;
}

const allKeys = ["b", "bb", "a"];
const ttl = 1_000;
const loadTimeout = 100;
const storeTimeout = 40;
const steps = 50;

/**
 * One random interleaving of calls on a cache with changes by others, invalidations, messages, expiry, eviction and
 * failures, in which a scheduler decides which call below goes on next. Throws where a read gives something older than
 * what was acknowledged before it began, or where a level keeps something old once all is quiet.
 */
export class Interleaving {
  readonly #options: InterleavingOptions;
  readonly #random: () => number;
  readonly #clock = new VirtualClock();
  readonly #scheduler: Scheduler;
  /** Few or many, so that calls meet on one key, and keys on one another's room. */
  readonly #keys: readonly string[];
  readonly #truth: Truth;
  /** Calls of the cache at once, at the most. */
  readonly #mostCalls: number;
  /** How many of ten calls below fail. */
  readonly #failing: number;
  /** How much of what is called are writes. */
  readonly #writing: number;
  readonly #backend: Storage<number>;
  readonly #stored: Storage<number>;
  #cache: CachedStorage<number>;
  readonly #calls = new Set<Promise<void>>();
  readonly #problems: string[] = [];
  readonly #log: string[] = [];
  #listener: ((message: Invalidation) => void) | undefined;
  #quiet = false;
  #processes = 0;
  #lastValue = 0;

  constructor(options: InterleavingOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#keys = allKeys.slice(0, 1 + this.#below(3));
    this.#truth = new Truth(this.#keys);
    this.#mostCalls = 1 + this.#below(6);
    this.#failing = this.#below(4);
    this.#writing = this.#random();
    const clock = this.#clock;
    this.#scheduler = new Scheduler(this.#random, clock);
    this.#backend = memoryStorage<number>({ values: "any", clock });
    this.#stored = memoryStorage<number>({ values: "any", clock });
    this.#cache = this.#makeCache();
  }

  #makeCache(): CachedStorage<number> {
    const clock = this.#clock;
    const process = ++this.#processes;
    const steering = {
      scheduler: this.#scheduler,
      clock,
      fate: (isWrite: boolean): Fate => this.#fate(isWrite),
      isAlive: () => process === this.#processes,
    };
    const below = new SteeredStorage(this.#backend, {
      ...steering,
      name: "below",
      isPunctual: false,
      patience: loadTimeout - 1,
      changed: (key, value, expiresAt) => this.#truth.set(key, value, expiresAt),
      cleared: (prefix) => this.#each(prefix, (key) => this.#truth.set(key, undefined)),
    });
    const store = new SteeredStorage(this.#stored, {
      ...steering,
      name: "store",
      isPunctual: this.#options.crashes, // what was given up is not remembered by a process that ends
      patience: 60, // twice that is over before the cache has stopped to fear a fill
      changed: () => {},
      cleared: () => {},
    });
    const settings = settle<number>({
      clock,
      ttl,
      loadTimeout,
      storeTimeout,
      maxEntries: 1 + this.#below(2),
      eviction: this.#chance(0.5) ? "lru" : "s3-fifo",
      missingTtl: this.#chance(0.5) ? 500 : 0,
      write: this.#chance(0.7) ? "through" : "around",
      store: this.#options.withStore ? store : undefined,
      bus: this.#options.withBus ? this.#makeBus() : undefined,
    });
    return new CachedStorage<number>(below, settings, clock);
  }

  async run(): Promise<void> {
    try {
      const crash = this.#options.crashes ? this.#below(steps) : Number.POSITIVE_INFINITY;
      for (let step = 0; step < steps; step++) {
        if (step === crash) this.#crash();
        await this.#step();
      }
      await this.#calmDown();
      await this.#compare();
    } catch (error) {
      this.#problems.push(String(error));
    }
    assert.equal(this.#problems.length, 0, `${this.#problems.join("\n")}\n${JSON.stringify(this.#options)}\n${this.#log.join("\n")}`);
  }

  async #step(): Promise<void> {
    const weights = {
      call: this.#calls.size < this.#mostCalls ? 4 : 0,
      go: this.#scheduler.waiting > 0 ? 12 : 0,
      late: this.#scheduler.late > 0 ? 1 : 0,
      time: 0.5,
      // What another process changes, and what is invalidated, is not remembered by one that ends.
      other: this.#options.crashes ? 0 : 0.4,
      forget: this.#options.crashes ? 0 : 0.2,
    };
    switch (pick(this.#random, weights)) {
      case "call":
        return await this.#call();
      case "go":
        return await this.#scheduler.step();
      case "late":
        return await this.#scheduler.lateStep();
      case "time":
        return await this.#advance(Number(pick(this.#random, { 1: 5, 35: 4, 60: 2, 130: 2, 1100: 0.5 })));
      case "other":
        return this.#changeByOther();
      case "forget":
        return this.#invalidate();
    }
  }

  async #call(): Promise<void> {
    const key = this.#key();
    const kind = pick(this.#random, {
      get: 6,
      getEntry: 2,
      has: 1,
      getEntries: 2,
      put: 6 * this.#writing,
      delete: 1.5 * this.#writing,
      batch: this.#writing,
      clear: this.#writing,
    });
    if (kind === "get" || kind === "getEntry" || kind === "has") {
      this.#read([key], kind, async () => {
        if (kind === "get") return [await this.#cache.get(key)];
        return kind === "has" ? [await this.#cache.has(key)] : [(await this.#cache.getEntry(key))?.value];
      });
    } else if (kind === "getEntries") {
      this.#read(this.#keys, kind, async () => (await this.#cache.getEntries(this.#keys)).map((entry) => entry?.value));
    } else this.#write(kind, key);
    await settled();
  }

  #read(asked: readonly string[], kind: string, read: () => Promise<(number | boolean | undefined)[]>): void {
    const began = this.#clock.now();
    const floors = asked.map((key) => this.#truth.floor(key, began));
    this.#track(`${kind} ${asked.join(" ")}`, read, {
      done: (values) => {
        const ended = this.#clock.now();
        for (const [index, key] of asked.entries()) {
          const value = values[index];
          if (this.#seen(key, value, floors[index] as number, began, ended)) continue;
          this.#problems.push(`${kind} of ${key} gave ${value}; from ${floors[index]} on it was ${this.#truth.show(key)}`);
        }
        return values.join(" ");
      },
      failed: (error) => {
        if (!StorageError.is(error) || error.storage === "store") this.#problems.push(`${kind} was failed by the store: ${String(error)}`);
      },
    });
  }

  #seen(key: string, value: number | boolean | undefined, floor: number, began: number, ended: number): boolean {
    const truth = this.#truth;
    if (value === false) return truth.mayBeSeen(key, undefined, floor, began, ended);
    if (value !== true) return truth.mayBeSeen(key, value, floor, began, ended);
    for (let number = 1; number <= this.#lastValue; number++) if (truth.mayBeSeen(key, number, floor, began, ended)) return true;
    return false;
  }

  #write(kind: "put" | "delete" | "batch" | "clear", key: string): void {
    const value = ++this.#lastValue;
    const since = this.#truth.latest(key);
    const all = this.#keys.map((each) => [each, this.#truth.latest(each)] as const);
    const expiresAt = this.#chance(0.2) ? this.#clock.now() + 80 : undefined;
    const prefix = this.#chance(0.5) ? "" : "b";
    const other = this.#key();
    const write = async (): Promise<unknown> => {
      switch (kind) {
        case "put":
          return await this.#cache.put(key, value, { expiresAt });
        case "delete":
          return await this.#cache.delete(key);
        case "batch":
          return await this.#cache.batch([
            { type: "put", key, value },
            ...(other === key ? [] : [{ type: "delete", key: other } as const]),
          ]);
        case "clear":
          return await this.#cache.clear({ prefix });
      }
    };
    this.#track(`${kind} ${kind === "clear" ? `"${prefix}"` : key} ${value}`, write, {
      done: () => {
        if (kind === "put" || kind === "batch") this.#truth.acknowledge(key, value);
        if (kind === "delete") this.#truth.acknowledgeRemoval(key, since);
        if (kind === "clear") for (const [each, from] of all) if (each.startsWith(prefix)) this.#truth.acknowledgeRemoval(each, from);
        return "done";
      },
      failed: (error) => {
        const refused = StorageError.is(error) && error.storage === "cached";
        if (refused && this.#truth.has(value)) this.#problems.push(`A write that was refused got below: ${value}`);
        if (refused && error.outcome !== "none") this.#problems.push("A write that was not sent has no unknown outcome.");
      },
    });
  }

  #track<T>(name: string, call: () => Promise<T>, outcome: Outcome<T>): void {
    this.#log.push(`${name} begins`);
    const running: Promise<void> = call()
      .then(
        (result) => void this.#log.push(`${name} gives ${outcome.done(result)}`),
        (error: unknown) => {
          this.#log.push(`${name} fails: ${String(error)}`);
          outcome.failed(error);
        },
      )
      .finally(() => this.#calls.delete(running));
    this.#calls.add(running);
  }

  /** Somebody else writes below, and says so on the bus, or has the cache invalidated where there is none. */
  #changeByOther(): void {
    const key = this.#key();
    const value = this.#chance(0.7) ? ++this.#lastValue : undefined;
    void (value === undefined ? this.#backend.delete(key) : this.#backend.put(key, value));
    const index = this.#truth.set(key, value);
    const isLost = this.#options.loses && this.#chance(0.3);
    this.#log.push(`somebody else makes ${key} ${value}${isLost ? ", unheard" : ""}`);
    // A load that is under way may bring it yet, and then lives for its ttl.
    if (isLost) return this.#truth.raiseAt(key, index, this.#clock.now() + ttl + 2 * loadTimeout);
    void this.#scheduler.turn().then(() => {
      this.#log.push(`of ${key} ${value} is heard`);
      if (this.#options.withBus) this.#listener?.({ sender: "another", keys: [key] });
      else this.#cache.invalidate(key).catch(() => {});
      this.#truth.raise(key, index);
    });
  }

  #invalidate(): void {
    const target = this.#chance(0.5) ? this.#key() : { prefix: "b" };
    this.#log.push(`invalidate ${JSON.stringify(target)}`);
    this.#cache.invalidate(target).catch(() => {});
  }

  #crash(): void {
    this.#log.push("the process ends, and another one begins");
    this.#scheduler.forgetAll();
    this.#calls.clear();
    this.#cache = this.#makeCache();
  }

  /** Brings every message back to its sender as well, and fails at times. */
  #makeBus(): Bus {
    return {
      publish: async (message) => {
        void this.#scheduler.turn().then(() => this.#listener?.(message));
        if (this.#chance(0.2)) throw new Error("The bus is down.");
      },
      subscribe: (listener) => {
        this.#listener = listener;
        return () => (this.#listener = undefined);
      },
    };
  }

  async #advance(duration: number): Promise<void> {
    this.#log.push(`${duration} ms later`);
    await this.#scheduler.hurry(duration);
    await this.#clock.advance(duration);
  }

  /** Nothing fails any more, and all that waits goes on; then what failed before is made up for. */
  async #calmDown(): Promise<void> {
    this.#quiet = true;
    this.#log.push("all is quiet");
    await this.#goOn();
    await this.#advance(130);
    await this.#goOn();
    assert.equal(this.#calls.size, 0, "A call never ended.");
    assert.equal(this.#cache.stats().pendingWrites, 0, "A write never ended.");
    if (this.#options.loses) await this.#advance(ttl + 2 * loadTimeout);
  }

  async #goOn(): Promise<void> {
    while (this.#scheduler.waiting > 0) await this.#scheduler.step();
    while (this.#scheduler.late > 0) await this.#scheduler.lateStep();
  }

  async #compare(): Promise<void> {
    // Whatever a level has it gives now; what it has not comes from below. The second round asks the store for what was evicted.
    for (let round = 0; round < 2; round++) {
      for (const key of this.#keys) {
        const expected = this.#truth.now(key, this.#clock.now());
        assert.equal((await this.#backend.get(key)) ?? undefined, expected, `The backend, and the truth about it, of ${key}`);
        assert.equal(await this.#calmly(this.#cache.get(key)), expected, `What the cache has of ${key}, in the end`);
        await this.#goOn();
      }
      await this.#advance(130);
      await this.#calmly(this.#cache.get("a key that makes the store be asked"));
    }
    if (!this.#options.withStore) return;
    for (const key of this.#keys) {
      const stored = await this.#stored.get(key);
      if (stored !== undefined) assert.equal(stored, this.#truth.now(key, this.#clock.now()), `What the store has of ${key}, in the end`);
    }
  }

  async #calmly<T>(call: Promise<T>): Promise<T> {
    await settled();
    await this.#goOn();
    return await call;
  }

  #fate(isWrite: boolean): Fate {
    if (this.#quiet) return "ok";
    const share = this.#failing / 3;
    return pick(this.#random, { ok: 9, fails: share, lost: isWrite ? share : 0, late: isWrite ? share : 0 });
  }

  #each(prefix: string, visit: (key: string) => void): void {
    for (const key of this.#keys) if (key.startsWith(prefix)) visit(key);
  }

  #key(): string {
    return this.#keys[this.#below(this.#keys.length)] as string;
  }

  /** A whole number from 0 up to, and without, `end`. */
  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}
