import assert from "node:assert/strict";
import type { ByteStorage, Clock } from "@stowage/core";
import { scan, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { Random, VirtualClock } from "@stowage/testing";
import type { CompositeOptions, CompositeStorage } from "../index.ts";
import { composite } from "../index.ts";
import { fastest, History } from "./history.ts";
import type { Condition } from "./place.ts";
import { Place } from "./place.ts";

export interface Schedule {
  readonly seed: number;
  readonly operations: number;
  /** How the replicas are spoiled, for checks that must notice it. */
  readonly spoil?: Spoil | undefined;
}

export interface Spoil {
  /** In place of each storage below a replica. */
  readonly storage?: (inner: ByteStorage) => ByteStorage;
  /** For each writer. */
  readonly options?: Partial<CompositeOptions>;
}

const day = 24 * 60 * 60 * 1000;
const keys = ["a", "b", "c/d", "e"];

/** Milliseconds by which the clocks of writers are wrong. */
const skews = [0, -3_000, fastest, -86_000];

/**
 * Some writers, whose clocks are wrong, work on three to five replicas that fail, get cut off, are late and lose answers.
 * Throws where a read cannot be, or where after healing and one repair the replicas differ, an acknowledged write is lost,
 * or something that was deleted is back.
 */
export async function runSchedule(schedule: Schedule): Promise<void> {
  await new Run(schedule).run();
}

class Run {
  readonly #operations: number;
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #history = new History();
  readonly #places: readonly Place[];
  readonly #options: Partial<CompositeOptions>;
  readonly #writers: CompositeStorage[];
  readonly #running = new Set<Promise<void>>();
  readonly #strong: boolean;
  #values = 0;

  constructor({ seed, operations, spoil = {} }: Schedule) {
    this.#operations = operations;
    const random = new Random(seed);
    this.#random = random;
    const count = 3 + random.below(3);
    const latest = random.pick([50, 400, 4_000]);
    this.#places = Array.from({ length: count }, () => {
      const memory = memoryStorage({ clock: this.#clock });
      return new Place(spoil.storage?.(memory) ?? memory, this.#clock, new Random(random.below(2 ** 31)), latest);
    });
    const majority = Math.floor(count / 2) + 1;
    const choices: readonly Partial<CompositeOptions>[] = [
      { write: { quorum: majority }, read: { quorum: count - majority + 1 }, readRepair: random.chance(0.5) },
      { write: { quorum: count - 1 }, read: { quorum: 2 } },
      { write: "all", read: random.pick(["first", "fastest"] as const) },
    ];
    const choice = random.pick(choices);
    this.#strong = typeof choice.read === "object";
    this.#options = { ...choice, timeout: 100, breaker: { failures: 4, pause: 200 }, hedgeDelay: 20, ...spoil.options };
    this.#writers = Array.from({ length: 1 + random.below(3) }, (_, index) => this.#writer(index));
  }

  async run(): Promise<void> {
    for (let step = 0; step < this.#operations; step++) {
      await this.#step();
      while (this.#running.size > 4) await this.#drive(Promise.race(this.#running));
    }
    await this.#heal();
    await this.#checkEnd();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const draw = random.next();
    if (draw < 0.08) random.pick(this.#places).condition = random.pick<Condition>(["well", "well", "away", "cut off", "shaky"]);
    else if (draw < 0.1) for (const place of this.#places) place.condition = random.chance(0.8) ? "well" : "shaky";
    else if (draw < 0.12) await this.#clock.advance(random.below(2_000));
    else if (draw < 0.125) await this.#clock.advance(31 * day);
    else if (draw < 0.14) this.#restart(random.below(this.#writers.length));
    else if (draw < 0.16) await this.#drive(random.pick(this.#writers).repair({ rate: 1e6 }));
    const done = this.#operate();
    this.#running.add(done);
    const forget = (): boolean => this.#running.delete(done);
    done.then(forget, forget);
    if (random.chance(0.7)) await this.#drive(done);
  }

  /** One call of a client, which never fails: what it may not answer is thrown at the end of the run. */
  #operate(): Promise<void> {
    const random = this.#random;
    const writer = random.pick(this.#writers);
    const key = random.pick(keys);
    const draw = random.next();
    if (draw < 0.45) return this.#put(writer, key, random.chance(0.15) ? 200 + random.below(2_000) : undefined, draw < 0.08);
    return draw < 0.65 ? this.#delete(writer, key) : this.#get(writer, key);
  }

  #put(writer: CompositeStorage, key: string, life: number | undefined, streamed: boolean): Promise<void> {
    const value = `${++this.#values}`;
    const expiresAt = life === undefined ? undefined : this.#clock.now() + life;
    const operation = this.#history.begin(key, value, expiresAt);
    const bytes = new TextEncoder().encode(value);
    const sent = streamed ? writer.write(key, () => ReadableStream.from([bytes]), { expiresAt }) : writer.put(key, bytes, { expiresAt });
    return this.#settle(operation, sent);
  }

  #delete(writer: CompositeStorage, key: string): Promise<void> {
    return this.#settle(this.#history.begin(key, undefined), writer.delete(key));
  }

  async #settle(operation: ReturnType<History["begin"]>, sent: Promise<unknown>): Promise<void> {
    try {
      await sent;
      operation.end = this.#history.tick();
    } catch (error) {
      assert.ok(StorageError.is(error), `A write failed with ${String(error)}.`);
      operation.void = error.outcome === "none";
    }
  }

  async #get(writer: CompositeStorage, key: string): Promise<void> {
    const start = this.#history.tick();
    try {
      const value = await writer.get(key);
      const end = this.#history.tick();
      if (!this.#strong && this.#options.write !== "all") return;
      this.#check({ key, value: value && new TextDecoder().decode(value), start, end, now: this.#clock.now() }, "A read");
    } catch (error) {
      if (!StorageError.is(error)) this.#problem ??= error;
    }
  }

  #problem: unknown;

  #check(read: Parameters<History["contradiction"]>[0], what: string): void {
    const contradiction = this.#history.contradiction(read);
    if (contradiction !== undefined) this.#problem ??= new assert.AssertionError({ message: `${what}: ${contradiction}.` });
  }

  #writer(index: number): CompositeStorage {
    const skew = skews[index]!;
    const clock: Clock = { now: () => this.#clock.now() + skew, sleep: (duration, signal) => this.#clock.sleep(duration, signal) };
    const replicas = Object.fromEntries(this.#places.map((place, position) => [`r${position}`, place as unknown as ByteStorage]));
    return composite({ ...this.#options, replicas, clock }) as CompositeStorage;
  }

  /** What the old one had begun goes on, as calls do that were on the line when their sender died. */
  #restart(index: number): void {
    this.#writers[index] = this.#writer(index);
  }

  async #heal(): Promise<void> {
    for (const place of this.#places) place.condition = "well";
    await this.#drive(Promise.all(this.#running));
    await this.#clock.advance(60_000);
    const report = await this.#drive(this.#writers[0]!.repair({ rate: 1e6 }));
    assert.ok(report.complete, `The repair is not complete: ${String(report.error)}.`);
  }

  async #checkEnd(): Promise<void> {
    const [first = "", ...others] = await Promise.all(this.#places.map(contentOf));
    for (const other of others) assert.equal(other, first, "All replicas are equal after one repair.");
    const now = this.#clock.now();
    for (const key of keys) {
      const value = await this.#drive(this.#writers[0]!.get(key));
      const start = this.#history.tick();
      this.#check({ key, value: value && new TextDecoder().decode(value), start, end: start, now }, "At the end");
    }
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** Waits, and moves the clock where nothing else goes on. */
  async #drive<T>(promise: Promise<T>): Promise<T> {
    const state = { settled: false };
    const settle = (): void => {
      state.settled = true;
    };
    promise.then(settle, settle);
    for (let idle = 0; !state.settled; idle++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!state.settled && idle > 2) await this.#clock.next();
      assert.ok(idle < 100_000, "A call never ends.");
    }
    return await promise;
  }
}

/** All that a replica has, tombstones included, as text. */
async function contentOf(place: Place): Promise<string> {
  const lines: string[] = [];
  for await (const { key } of scan(place)) {
    const entry = await place.getEntry(key);
    if (entry === undefined) continue;
    const { value, metadata, expiresAt } = entry;
    lines.push(JSON.stringify([key, new TextDecoder().decode(value), metadata, expiresAt]));
  }
  return lines.join("\n");
}
