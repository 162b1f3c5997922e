import type { EventName, Listener, StorageEvent, StorageEvents } from "./event.ts";

/** Gets what a listener or `after` threw, with the event or call that it was told of. */
export type OnListenerError = (error: unknown, told: unknown) => void;

interface Subscription {
  readonly listener: (event: never) => void;
  active: boolean;
}

/** Who listens to what, in the order of subscription. */
export class Listeners {
  readonly #onError: OnListenerError | undefined;
  readonly #onChange: () => void;
  /** Replaced and never changed, so that who subscribes while an event is told hears of the next one. */
  readonly #subscriptions: { [N in EventName]: readonly Subscription[] } = {
    put: [],
    get: [],
    delete: [],
    clear: [],
    error: [],
    evict: [],
    alert: [],
  };
  /** What listeners and `after` threw so far. */
  errors = 0;

  /** @param onChange runs after somebody came or went */
  constructor(onError: OnListenerError | undefined, onChange: () => void) {
    this.#onError = onError;
    this.#onChange = onChange;
  }

  get count(): number {
    return Object.values(this.#subscriptions).reduce((sum, { length }) => sum + length, 0);
  }

  knows(name: string): name is EventName {
    return Object.hasOwn(this.#subscriptions, name);
  }

  has(name: EventName): boolean {
    return this.#subscriptions[name].length > 0;
  }

  /** Returns what ends the subscription; calling it again is harmless. */
  add<N extends EventName>(name: N, listener: Listener<N>): () => void {
    const subscription: Subscription = { listener, active: true };
    this.#subscriptions[name] = [...this.#subscriptions[name], subscription];
    this.#onChange();
    return () => {
      if (!subscription.active) return;
      subscription.active = false;
      this.#subscriptions[name] = this.#subscriptions[name].filter((other) => other !== subscription);
      this.#onChange();
    };
  }

  removeAll(): void {
    for (const name of Object.keys(this.#subscriptions) as EventName[]) {
      for (const subscription of this.#subscriptions[name]) subscription.active = false;
      this.#subscriptions[name] = [];
    }
    this.#onChange();
  }

  tell<N extends EventName>(name: N, event: StorageEvents[N]): void {
    const subscriptions = this.#subscriptions[name];
    for (let index = 0; index < subscriptions.length; index++) {
      const { active, listener } = subscriptions[index] as Subscription;
      if (active) this.guard(listener as (event: StorageEvent) => void, event);
    }
  }

  /** Calls somebody whose failure is nobody's but his own. */
  guard<T>(listener: (told: T) => unknown, told: T): void;
  guard<T, M>(listener: (told: T, more: M) => unknown, told: T, more: M): void;
  guard(listener: (told: unknown, more?: unknown) => unknown, told: unknown, more?: unknown): void {
    try {
      const answer = listener(told, more);
      if (isThenable(answer)) answer.then(undefined, (error: unknown) => this.#report(error, told));
    } catch (error) {
      this.#report(error, told);
    }
  }

  #report(error: unknown, told: unknown): void {
    this.errors++;
    try {
      const answer: unknown = this.#onError?.(error, told);
      if (isThenable(answer)) answer.then(undefined, () => {});
    } catch {
      // Who is told of errors has nobody left to tell of his own.
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
