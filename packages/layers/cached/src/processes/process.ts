import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import type { Invalidation } from "../bus.ts";
import type { Answer, Order } from "./messages.ts";

/** An order without its number. */
type Wish = Order extends infer O ? (O extends { readonly number: number } ? Omit<O, "number"> : never) : never;

/** A process with a cache, as the test that started it sees it. */
export class CacheProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #orders = 0;

  /** @param publish told what the cache says on the bus */
  constructor(directory: string, ttl: number, publish: (message: Invalidation) => void) {
    this.#child = fork(new URL("cache-process.ts", import.meta.url), [directory, String(ttl)], {
      execArgv: ["--conditions=@stowage/source", "--no-warnings"],
    });
    this.#child.on("message", (answer: Answer) => {
      if (answer.kind === "bus") return publish(answer.message);
      const waiting = this.#waiting.get(answer.number);
      this.#waiting.delete(answer.number);
      if (answer.error === undefined) waiting?.resolve(answer.value);
      else waiting?.reject(new Error(answer.error));
    });
    this.#ended = once(this.#child, "exit").then(([code, signal]) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`The process ended early, with ${signal ?? code}.`));
    });
  }

  /** Delivers a message of the bus, before all that it is told afterwards. */
  deliver(message: Invalidation): void {
    this.#child.send({ kind: "bus", message } satisfies Order);
  }

  tell(wish: Wish): Promise<unknown> {
    const number = this.#orders++;
    this.#child.send({ ...wish, number });
    return new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}
