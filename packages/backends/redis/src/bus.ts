import type { Clock } from "@stowage/core";
import { rejecting, StorageError, systemClock } from "@stowage/core";
import type { Client, RedisConnectionOptions } from "./address.ts";
import { checkConnectionOptions } from "./checking.ts";
import { storageName } from "./errors.ts";
import { busDefinitions } from "./options.ts";
import { Server } from "./server.ts";

export interface RedisBusOptions extends RedisConnectionOptions {
  /** Caches that stand at the same place of their stacks share a channel: letters, digits, and `. _ : / -`. */
  readonly channel: string;
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/** What travels: keys or a prefix, never a value. */
export type RedisBusMessage = { readonly sender: string } & ({ readonly keys: readonly string[] } | { readonly prefix: string });

/** A `Bus` of `@stowage/cached`. Whoever made it closes it; until then its connection keeps the process alive. */
export interface RedisBus {
  /** Rejects where there is no connection. That it resolves says that the server has the message, not who got it. */
  publish(message: RedisBusMessage): Promise<void>;
  subscribe(listener: (message: RedisBusMessage) => void): () => void;
  close(): Promise<void>;
}

/**
 * A bus for caches in many processes, by publish and subscribe. It connects when it is first used, again for ever when the
 * connection is lost, and then tells every cache to forget all, because messages may have been missed meanwhile.
 *
 * ```ts
 * const bus = redisBus({ url: "redis://127.0.0.1:6379", channel: "users" });
 * const users = stack(fileStorage({ directory: "/mnt/users" }), cached({ bus, ttl: 60_000 }));
 * ```
 *
 * @throws StorageError `invalid-option`
 */
export function redisBus(options: RedisBusOptions): RedisBus {
  checkConnectionOptions(busDefinitions, options);
  const bus = new Bus(options);
  return {
    publish: (message) => rejecting(() => bus.publish(message)),
    subscribe: (listener) => bus.subscribe(listener),
    close: () => bus.close(),
  };
}

/** Milliseconds between two looks whether a connection is alive on which nothing else is sent. */
const heartbeat = 10_000;

/** Messages may have been missed. */
const gap: RedisBusMessage = { sender: "", prefix: "" };

class Bus {
  readonly #channel: string;
  readonly #server: Server;
  readonly #listeners = new Set<(message: RedisBusMessage) => void>();
  #connecting: Promise<void> | undefined;
  #beating: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: RedisBusOptions) {
    this.#channel = `stowage:bus:${options.channel}`;
    this.#server = new Server(options, options.clock ?? systemClock, {
      prepare: (client) => this.#listen(client),
      onConnect: () => this.#tell(gap),
    });
  }

  async publish(message: RedisBusMessage): Promise<void> {
    if (this.#closed)
      throw new StorageError("closed", "The bus is closed; make a new one.", { operation: "publish", storage: storageName });
    await this.#start();
    const command = ["PUBLISH", this.#channel, JSON.stringify(message)];
    await this.#server.send("", command, { operation: "publish", writes: false }, () => {});
  }

  subscribe(listener: (message: RedisBusMessage) => void): () => void {
    const own = (message: RedisBusMessage): void => listener(message); // so that each subscription ends alone
    this.#listeners.add(own);
    if (!this.#closed) void this.#start();
    return () => void this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    clearInterval(this.#beating);
    await this.#server.idle();
    this.#server.close();
  }

  /** Answers after the first attempt. */
  #start(): Promise<void> {
    if (this.#connecting !== undefined) return this.#connecting;
    const beat = (): void => {
      this.#server.send("", ["PING"], { operation: "ping", writes: false }, () => {}).catch(() => {});
    };
    this.#beating = setInterval(beat, heartbeat).unref();
    return (this.#connecting = this.#server.start());
  }

  async #listen(client: Client): Promise<void> {
    await client.subscribe(this.#channel, (text) => {
      try {
        this.#tell(JSON.parse(text) as RedisBusMessage);
      } catch {
        // Not a message of ours: anybody may publish on a channel.
      }
    });
  }

  #tell(message: RedisBusMessage): void {
    for (const listener of this.#listeners) {
      try {
        listener(message);
      } catch {
        // It is the listener that knows what to do about that.
      }
    }
  }
}
