import type { AnyStorage, Bytes, ByteStorage, Clock } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";

/** A memory storage in another coat, which keeps every promise. The broken ones differ from it in one place each. */
export class Twin extends ForwardingStorage<Bytes> implements ByteStorage {
  readonly name: string = "twin";
  override readonly inner: readonly AnyStorage[] = []; // it passes for a backend
}

export function makeTwin(Kind: typeof Twin, clock: Clock): Twin {
  return new Kind(memoryStorage({ clock }), clock);
}

/** One turn of the event loop: what I/O would take. */
export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
