import { StorageError } from "@stowage/core";

/** Who waits for room. */
interface Waiter {
  readonly size: number;
  enter(): void;
  refuse(error: unknown): void;
}

/** Bounds what is pending. Who finds no room waits, in order, until there is some or its signal is aborted. */
export class Room {
  readonly #maxCount: number;
  readonly #maxSize: number;
  readonly #waiters = new Set<Waiter>();
  /** Dead letters among them, which only a person can make go. */
  #stuck = 0;
  count = 0;
  size = 0;

  constructor(maxCount: number, maxSize: number) {
    this.#maxCount = maxCount;
    this.#maxSize = maxSize;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** So full that it is time to make room. */
  get isHalfFull(): boolean {
    return this.#waiters.size > 0 || this.count * 2 >= this.#maxCount || this.size * 2 >= this.#maxSize;
  }

  /** Takes room, at once where there is some: `undefined` then. */
  enter(size: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.tryEnter(size)) return undefined;
    if (this.#hasOnlyDead) return Promise.reject(fullOfDead());
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener("abort", abort);
      };
      const abort = (): void => {
        leave();
        reject(signal?.reason as Error);
        this.#letIn();
      };
      const waiter: Waiter = {
        size,
        enter: () => {
          leave();
          resolve();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Takes room where there is some and nobody waits for it. */
  tryEnter(size: number): boolean {
    const enters = this.#waiters.size === 0 && this.#fits(size);
    if (enters) this.take(size);
    return enters;
  }

  /** Takes room whether there is any or not: for what a journal holds already. */
  take(size: number): void {
    this.count++;
    this.size += size;
  }

  /** A stream turned out to be so much longer. */
  grow(size: number): void {
    this.size += size;
  }

  leave(size: number): void {
    this.count--;
    this.size -= size;
    this.#letIn();
  }

  /** A pending write became a dead letter, or is none any more. */
  stick(count: 1 | -1): void {
    this.#stuck += count;
    this.#letIn();
  }

  refuseAll(error: unknown): void {
    for (const waiter of this.#waiters) waiter.refuse(error);
  }

  /** Lets in who fits, in order. Who would wait for dead letters alone is refused. */
  #letIn(): void {
    for (const waiter of this.#waiters) {
      if (this.#fits(waiter.size)) {
        this.take(waiter.size);
        waiter.enter();
      } else if (this.#hasOnlyDead) waiter.refuse(fullOfDead());
      else return;
    }
  }

  #fits(size: number): boolean {
    return this.count < this.#maxCount && (this.size + size <= this.#maxSize || this.count === 0);
  }

  get #hasOnlyDead(): boolean {
    return this.#stuck > 0 && this.count === this.#stuck;
  }
}

function fullOfDead(): StorageError {
  return new StorageError("full", "Only dead letters are pending, and they leave too little room; retry or discard them.", {
    storage: "behind",
  });
}
