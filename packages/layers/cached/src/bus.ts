/** What changed: some keys, or all under a prefix. */
export type Target = { readonly keys: readonly string[] } | { readonly prefix: string };

/** What travels on a bus: plain data that JSON keeps. Keys and prefixes only, never a value. */
export type Invalidation = Target & {
  /** The cache that sent it, by a random name: each passes over what it sent itself. */
  readonly sender: string;
};

/**
 * Carries invalidations between caches over the same data, in one process or in many. All caches on one bus stand at the
 * same place of their stacks, so that they mean the same by a key.
 *
 * Messages may be lost, doubled or late; a cache serves what it missed until `ttl` is over. A bus that notices a gap, as
 * after a new connection, tells its listeners `{ sender: "", prefix: "" }`, which makes them forget everything.
 */
export interface Bus {
  /** Sends a message to all other subscribers, the sender's own listener included or not. A rejection is counted, and fails no write. */
  publish(message: Invalidation): Promise<void>;
  /** Calls `listener` with each message from now on, until the function that it gives is called. Neither of the two throws for a connection that is down. */
  subscribe(listener: (message: Invalidation) => void): () => void;
}

/**
 * A bus for the caches of one process: what is published has reached all others when `publish` returns.
 *
 * ```ts
 * const bus = localBus();
 * const one = stack(files, borrowed(), cached({ bus, ttl: 60_000 }));
 * const two = stack(files, borrowed(), cached({ bus, ttl: 60_000 }));
 * ```
 */
export function localBus(): Bus {
  const listeners = new Set<(message: Invalidation) => void>();
  return {
    async publish(message) {
      const told = await Promise.allSettled(Array.from(listeners, async (listener) => listener(message)));
      const failed = told.find((each) => each.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
    subscribe(listener) {
      const own = (message: Invalidation): void => listener(message); // so that each subscription ends alone
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}

/** What a bus delivered, made sound; `undefined` where it is no message. It may come from a network. */
export function readInvalidation(message: unknown): Invalidation | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { sender, keys, prefix } = message as Readonly<Record<string, unknown>>;
  if (typeof sender !== "string") return undefined;
  if (Array.isArray(keys) && keys.every((key) => typeof key === "string")) return { sender, keys };
  return typeof prefix === "string" ? { sender, prefix } : undefined;
}
