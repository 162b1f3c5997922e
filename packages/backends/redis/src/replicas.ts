import { StorageError } from "@stowage/core";
import type { Connection, Reply } from "./command.ts";
import type { CallOf } from "./errors.ts";
import { storageName } from "./errors.ts";

/** Waits until replicas have what was written. */
export class Replicas {
  readonly #connection: Connection;
  readonly #wanted: number;
  readonly #patience: number;
  readonly #shared: boolean;
  #next: Promise<number> | undefined;

  /**
   * @param patience milliseconds that the server waits at most
   * @param shared whether all writes go to one server, so that the writes of one turn can wait together
   */
  constructor(connection: Connection, wanted: number, patience: number, shared: boolean) {
    this.#connection = connection;
    this.#wanted = wanted;
    this.#patience = patience;
    this.#shared = shared;
  }

  /** What a write gives, once enough replicas have it. */
  async after<T>(written: Promise<T>, name: string, call: CallOf): Promise<T> {
    const result = await written;
    const confirmed = await this.#wait(name, call);
    if (confirmed >= this.#wanted) return result;
    const message = `The write is on the primary, and on ${confirmed} of the ${this.#wanted} replicas that it must reach.`;
    const { operation, key } = call;
    throw new StorageError("unavailable", message, { operation, key, storage: storageName, outcome: "unknown" });
  }

  /** How many replicas have all that was written before. */
  #wait(name: string, call: CallOf): Promise<number> {
    if (!this.#shared) return this.#ask(name, call);
    return (this.#next ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#next = undefined;
        this.#ask(name, call).then(resolve, reject);
      });
    }));
  }

  #ask(name: string, call: CallOf): Promise<number> {
    const command = ["WAIT", String(this.#wanted), String(this.#patience)];
    return this.#connection.send(name, command, call, (reply: Reply) => reply as number);
  }
}
