import type { AnyStorage, Bytes, ByteStorage, Call, Clock, Next } from "@stowage/core";
import { AroundStorage, ForwardingStorage, Lifecycle } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";

/** A memory storage in another coat, which keeps every promise. The broken ones differ from it in one place each. */
export class Twin extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly name: string = "twin";
  override readonly inner: readonly AnyStorage[] = []; // it passes for a backend
}

/** As the twin, but every answer takes a turn of the event loop, as from a disk. */
export class SlowTwin extends AroundStorage<Bytes> implements ByteStorage {
  readonly name = "slow";
  override readonly inner: readonly AnyStorage[] = [];
  readonly #lifecycle = new Lifecycle({ name: this.name, clock: this.clock, release: () => this.below.close() });

  protected override around<T>({ operation }: Call, next: Next<T>): Promise<T> {
    return this.#lifecycle.run(operation, async () => {
      const answer = await next();
      await turn();
      return answer;
    });
  }

  override close(): Promise<void> {
    return this.#lifecycle.close();
  }
}

export function makeTwin(Kind: typeof Twin, clock: Clock): Twin {
  return new Kind(memoryStorage({ clock }), clock);
}

/** One turn of the event loop: what I/O would take. */
export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
