import type { Bytes, ByteStorage, Capabilities } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";

/** A memory, or another storage, that says it can do less. */
export function without(capabilities: Partial<Capabilities>, inner: ByteStorage = memoryStorage()): ByteStorage {
  return new Weaker(inner, capabilities);
}

class Weaker extends ForwardingStorage<Bytes> {
  readonly name = "weaker";
  readonly #changes: Partial<Capabilities>;

  constructor(inner: ByteStorage, changes: Partial<Capabilities>) {
    super(inner);
    this.#changes = changes;
  }

  override get capabilities(): Capabilities {
    return { ...this.below.capabilities, ...this.#changes };
  }
}
