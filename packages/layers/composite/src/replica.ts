import type { ByteStorage, Clock, Deadline, EntryInfo, OperationName } from "@stowage/core";
import { Deadlines, StorageError } from "@stowage/core";
import type { BreakerSettings } from "./breaker.ts";
import { Breaker } from "./breaker.ts";
import type { ReplicaCall, Send } from "./replica-call.ts";
import { isDamage, PromisedCall } from "./replica-call.ts";
import { oldest, versionOf } from "./versions.ts";

/** What a replica has under one key. */
export interface Glance {
  readonly info: EntryInfo | undefined;
  /** Why it cannot be read, where something is there that is damaged. Its version is unknown then. */
  readonly damage: StorageError | undefined;
}

/** What a replica has under a key and under its tombstone. */
export interface Look {
  readonly value: Glance;
  readonly tombstone: Glance;
}

/** The version of the value that a replica has; `undefined` where it has none. */
export function valueVersion({ value }: Look): string | undefined {
  return value.info && versionOf(value.info);
}

/** The version of the last delete that a replica knows of. What is older is dead. */
export function deletedVersion({ tombstone }: Look): string {
  return tombstone.info === undefined ? oldest : versionOf(tombstone.info);
}

export interface ReplicaStats {
  calls: number;
  failures: number;
  timeouts: number;
}

/** One of the storages, with what is known of how it does. */
export class Replica {
  readonly index: number;
  readonly name: string;
  readonly storage: ByteStorage;
  readonly breaker: Breaker;
  readonly stats: ReplicaStats = { calls: 0, failures: 0, timeouts: 0 };
  /** Whether it decides itself that an older version never replaces a newer one. */
  readonly isConditional: boolean;
  readonly #deadlines: Deadlines;
  /** Whether a write waits until the one before it has landed, although that one was given up. */
  readonly #waits: boolean;
  /** The last write of each key that is on its way, and the last streamed one. */
  readonly #writing = new Map<string, Promise<void>>();
  readonly #streaming = new Map<string, Promise<void>>();
  readonly #timer: Clock;
  readonly #timeout: number;

  constructor(index: number, name: string, storage: ByteStorage, settings: ReplicaSettings) {
    this.index = index;
    this.name = name;
    this.storage = storage;
    this.breaker = new Breaker(settings.breaker, settings.timer);
    const { conditions } = storage.capabilities;
    this.isConditional = (["create", "replace", "delete"] as const).every((condition) => conditions.includes(condition));
    this.#waits = settings.singleWriter || !this.isConditional;
    this.#deadlines = new Deadlines(settings.timeout, settings.timer);
    this.#timer = settings.timer;
    this.#timeout = settings.timeout;
  }

  /** Sends a call, unless this replica is left alone; ends it by the time limit although it may hang. */
  call<T>(operation: OperationName, send: Send<T>, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => this.begin(new PromisedCall(this, operation, resolve, reject), send, signal));
  }

  /** Sends a call for somebody who is told how it ends. False where this replica is left alone. */
  begin<T>(call: ReplicaCall<T>, send: Send<T>, signal: AbortSignal | undefined): boolean {
    if (!this.breaker.admit()) {
      call.fail(this.#leftAlone(call.operation));
      return false;
    }
    this.stats.calls++;
    if (call.operation !== "write") this.#deadlines.join(call); // a stream has a time of its own
    call.start(send, signal);
    return true;
  }

  /** What it has under a key and its tombstone. */
  async look(key: string, tombstoneKey: string, signal?: AbortSignal): Promise<Look> {
    const first = this.glance(key, signal);
    if (this.breaker.health !== "up") await first; // one call finds out whether it is back
    const [value, tombstone] = await Promise.all([first, this.glance(tombstoneKey, signal)]);
    return { value, tombstone };
  }

  /** What it has under one key, also where that is damaged. */
  glance(key: string, signal?: AbortSignal): Promise<Glance> {
    return this.head(key, signal).then(whole, damaged);
  }

  head(key: string, signal?: AbortSignal): Promise<EntryInfo | undefined> {
    return this.call("head", (own) => this.storage.head(key, { signal: own }), signal);
  }

  /**
   * Writes of one key, one after the other, so that an older one never lands on a newer one. Where the replica decides that
   * itself, nobody waits for a write that takes too long. `landing` is told the promise of what was sent.
   */
  inOrder<T>(key: string, write: (landing: Landing) => Promise<T>): Promise<T> {
    const before = this.#writing.get(key);
    let landed: Promise<unknown> | undefined;
    const landing: Landing = (sent) => {
      landed = sent;
      return sent;
    };
    const turn = before === undefined || !this.#waits ? before : this.call("put", () => before);
    const written = turn === undefined ? write(landing) : turn.then(() => write(landing));
    const ended: Promise<void> = written
      .catch(ignore)
      .then(() => (this.#waits ? Promise.allSettled([before, landed]) : undefined))
      .then(() => {
        if (this.#writing.get(key) === ended) this.#writing.delete(key);
      });
    this.#writing.set(key, ended);
    return written;
  }

  /**
   * A streamed write of a key, after those writes of it that began before. Later ones do not wait for it, because its source
   * may take any time, and it does not wait for ever for others of its kind. `waited` tells whether it had to.
   */
  inOrderOfStreams<T>(key: string, write: (waited: boolean) => Promise<T>): Promise<T> {
    const before = [this.#writing.get(key), this.#streaming.get(key)].filter((each) => each !== undefined);
    const written = before.length === 0 ? write(false) : this.#atMost(Promise.all(before)).then(() => write(true));
    const ended: Promise<void> = written.then(ignore, ignore).then(() => {
      if (this.#streaming.get(key) === ended) this.#streaming.delete(key);
    });
    this.#streaming.set(key, ended);
    return written;
  }

  async #atMost(wait: Promise<unknown>): Promise<void> {
    const stop = new AbortController();
    await Promise.race([wait, this.#timer.sleep(this.#timeout, stop.signal).catch(ignore)]);
    stop.abort();
  }

  #leftAlone(operation: OperationName): StorageError {
    return new StorageError("unavailable", `The replica "${this.name}" failed again and again and is left alone for a while.`, {
      operation,
      storage: "composite",
    });
  }

  /** Joins the time limit again, for a stream that has moved. */
  restart(deadline: Deadline): void {
    deadline.leave();
    this.#deadlines.join(deadline);
  }
}

export interface ReplicaSettings {
  readonly timeout: number;
  readonly breaker: BreakerSettings;
  readonly timer: Clock;
  readonly singleWriter: boolean;
}

/** Told the promise of a write that was sent, which it gives back. */
export type Landing = <T>(sent: Promise<T>) => Promise<T>;

const whole = (info: EntryInfo | undefined): Glance => ({ info, damage: undefined });

function damaged(error: unknown): Glance {
  if (isDamage(error)) return { info: undefined, damage: error };
  throw error;
}

const ignore = (): void => {};
