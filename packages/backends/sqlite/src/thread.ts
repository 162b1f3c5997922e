import { Worker } from "node:worker_threads";
import type { Committed } from "@stowage/core";
import type { Change, Outcome } from "./changes.ts";
import type { ConnectionOptions } from "./connection.ts";

/** Makes a group of changes, at once or on a thread. Throws or rejects where another connection holds the lock. */
export type RunGroup = (changes: readonly Change[], now: number) => Committed<Outcome> | Promise<Committed<Outcome>>;

/** What the thread is sent: a group of changes. */
export interface Request {
  readonly changes: readonly Change[];
  readonly now: number;
}

/** What it answers: the outcomes, or the error of the whole group. The first answer says that it has opened. */
export type Answer = { readonly committed: Committed<Outcome> } | { readonly error: unknown; readonly errcode?: number | undefined };

/** Commits on a thread of its own, so that the sync of the disk holds nobody up. One group is under way at a time. */
export class Thread {
  readonly #worker: Worker;
  #pending: { readonly resolve: (committed: Committed<Outcome>) => void; readonly reject: (error: unknown) => void } | undefined;
  #dead: unknown;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async start(options: ConnectionOptions): Promise<Thread> {
    const source = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    const worker = new Worker(new URL(source, import.meta.url), { workerData: options });
    const thread = new Thread(worker);
    const opened = thread.#wait();
    worker.on("message", (answer: Answer) => thread.#settle(answer));
    worker.on("error", (error) => thread.#die(error));
    worker.on("exit", () => thread.#die(new Error("The thread that commits has ended.")));
    await opened;
    return thread;
  }

  readonly run: RunGroup = (changes, now) => {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const answer = this.#wait();
    this.#worker.postMessage({ changes, now } satisfies Request);
    return answer;
  };

  async stop(): Promise<void> {
    if (this.#dead !== undefined) return;
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.ref();
    this.#worker.postMessage("close");
    await ended;
  }

  /** Keeps the process alive for as long as an answer is owed. */
  #wait(): Promise<Committed<Outcome>> {
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  #settle(answer: Answer): void {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#worker.unref();
    if ("committed" in answer) pending?.resolve(answer.committed);
    else pending?.reject(restored(answer));
  }

  #die(reason: unknown): void {
    this.#dead = reason;
    this.#pending?.reject(reason);
    this.#pending = undefined;
  }
}

/** An error keeps its message on the way between threads, and loses the code that SQLite gave it. */
function restored({ error, errcode }: Extract<Answer, { error: unknown }>): unknown {
  return error instanceof Error && errcode !== undefined ? Object.assign(error, { errcode }) : error;
}
