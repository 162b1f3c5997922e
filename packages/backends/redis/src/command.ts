import { Deadline, StorageError } from "@stowage/core";
import type { CallOf } from "./errors.ts";
import { storageName, translate } from "./errors.ts";

/** What the server answers: bytes are Buffers. */
export type Reply = Buffer | string | number | null | readonly Reply[];
export type Argument = string | Buffer;

/** Sends commands to one server or to the nodes of a cluster. */
export interface Connection {
  /** Rejects at once where nothing answers; then it may be called again. */
  open(): Promise<void>;
  /**
   * Sends one command and gives what `decode` makes of its answer. Commands of one turn travel together.
   *
   * @param name a name in Redis that says to which node of a cluster it goes
   */
  send<T>(name: string, command: Argument[], call: CallOf, decode: (reply: Reply) => T): Promise<T>;
  /** Those whose keys together are all keys, for SCAN, each by a name that lasts. */
  nodes(): readonly ScannedNode[];
  /** Waits for what was sent. */
  idle(): Promise<void>;
  close(): void;
  /** Connections that were made after the first. */
  readonly reconnects: number;
}

export interface ScannedNode {
  readonly name: string;
  scan(command: Argument[], call: CallOf): Promise<Reply>;
}

/** Commands that were sent and not answered yet. */
export class InFlight {
  #count = 0;
  #whenIdle: (() => void)[] = [];
  /** When an answer came last, in milliseconds since the epoch; 0: never. */
  lastAnswer = 0;

  get count(): number {
    return this.#count;
  }

  started(): void {
    this.#count++;
  }

  ended(): void {
    if (--this.#count > 0) return;
    const waiting = this.#whenIdle;
    if (waiting.length === 0) return;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  idle(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }
}

/** One command under way: settled by its answer or by its deadline, whichever comes first. */
export class Command<T> extends Deadline {
  readonly promise: Promise<T>;
  #resolve!: (result: T) => void;
  #reject!: (error: unknown) => void;
  readonly #call: CallOf;
  readonly #decode: (reply: Reply) => T;
  readonly #inFlight: InFlight;
  readonly #expired: (startedAt: number) => void;
  #settled = false;

  /** @param expired told when no answer came in time, with the time when the command was sent */
  constructor(call: CallOf, decode: (reply: Reply) => T, inFlight: InFlight, expired: (startedAt: number) => void) {
    super();
    this.#call = call;
    this.#decode = decode;
    this.#inFlight = inFlight;
    this.#expired = expired;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    inFlight.started();
  }

  readonly answered = (reply: Reply): void => {
    if (this.#settled) return;
    this.#end();
    try {
      this.#resolve(this.#decode(reply));
    } catch (error) {
      this.#reject(translate(error, this.#call));
    }
  };

  readonly failed = (error: unknown): void => {
    if (this.#settled) return;
    this.#end();
    this.#reject(translate(error, this.#call));
  };

  override expire(): void {
    const { operation, key, writes } = this.#call;
    const startedAt = this.startedAt;
    this.#end();
    const message = "The server did not answer within commandTimeout.";
    this.#reject(new StorageError("timeout", message, { operation, key, storage: storageName, outcome: writes ? "unknown" : "none" }));
    this.#expired(startedAt);
  }

  #end(): void {
    this.#settled = true;
    this.leave();
    this.#inFlight.ended();
  }
}
