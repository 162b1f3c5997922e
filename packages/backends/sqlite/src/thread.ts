import { Worker } from "node:worker_threads";
import type { Committed } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Change, Fault, Outcome } from "./changes.ts";
import type { ConnectionOptions } from "./connection.ts";
import { storageName } from "./errors.ts";

/** Makes a group of changes, at once or on a thread. Throws or rejects where another connection holds the lock. */
export type RunGroup = (changes: readonly Change[], now: number) => Committed<Outcome> | Promise<Committed<Outcome>>;

/** What the thread is sent: a group of changes. */
export interface Request {
  readonly changes: readonly Change[];
  readonly now: number;
}

/** What it answers: the outcomes, or the error of the whole group. The first answer says that it has opened. */
export type Answer = { readonly committed: Committed<Outcome> } | { readonly error: unknown; readonly errcode?: number | undefined };

/** A group of changes that the thread owes an answer for. */
interface Pending {
  readonly changes: readonly Change[];
  readonly resolve: (committed: Committed<Outcome>) => void;
  readonly reject: (error: unknown) => void;
}

/** Commits on a thread of its own, so that the sync of the disk holds nobody up. One group is under way at a time. */
export class Thread {
  readonly #worker: Worker;
  #pending: Pending | undefined;
  /** What every change gets, once the thread has ended. */
  #ended: Fault | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async start(options: ConnectionOptions): Promise<Thread> {
    const source = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    const worker = new Worker(new URL(source, import.meta.url), { workerData: options });
    const thread = new Thread(worker);
    const opened = thread.#wait([]);
    worker.on("message", (answer: Answer) => thread.#settle(answer));
    worker.on("error", (error) => thread.#end(error));
    worker.on("exit", () => thread.#end());
    await opened;
    if (thread.#ended === undefined) return thread;
    const { code, message, cause } = thread.#ended;
    throw new StorageError(code, message, { storage: storageName, cause });
  }

  readonly run: RunGroup = (changes, now) => {
    if (this.#ended !== undefined) return Promise.resolve(refusing(changes, this.#ended));
    const answer = this.#wait(changes);
    this.#worker.postMessage({ changes: changes.map(withOwnMemory), now } satisfies Request);
    return answer;
  };

  async stop(): Promise<void> {
    if (this.#ended !== undefined) return;
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.ref();
    this.#worker.postMessage("close");
    await ended;
  }

  /** Keeps the process alive for as long as an answer is owed. */
  #wait(changes: readonly Change[]): Promise<Committed<Outcome>> {
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#pending = { changes, resolve, reject };
    });
  }

  #settle(answer: Answer): void {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#worker.unref();
    if ("committed" in answer) pending?.resolve(answer.committed);
    else pending?.reject(restored(answer));
  }

  #end(cause?: unknown): void {
    this.#ended ??= { code: "unavailable", message: "The thread that commits has ended; make a new storage.", outcome: "none", cause };
    this.#pending?.resolve(refusing(this.#pending.changes, { ...this.#ended, outcome: "unknown" }));
    this.#pending = undefined;
  }
}

const refusing = (changes: readonly Change[], fault: Fault): Committed<Outcome> => ({ outcomes: changes.map(() => fault), more: false });

/** The change with bytes that lie in memory of their own: a view is sent with all of the memory that it shows a part of. */
function withOwnMemory<C extends Change>(change: C): C {
  if (change.type === "all") return { ...change, changes: change.changes.map(withOwnMemory) };
  if (change.type === "put") return { ...change, value: owned(change.value) };
  return change.type === "chunk" ? { ...change, bytes: owned(change.bytes) } : change;
}

function owned(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength === 0) return new Uint8Array(0); // memory that the caller gave away meanwhile cannot be sent
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

/** An error keeps its message on the way between threads, and loses the code that SQLite gave it. */
function restored({ error, errcode }: Extract<Answer, { error: unknown }>): unknown {
  return error instanceof Error && errcode !== undefined ? Object.assign(error, { errcode }) : error;
}
