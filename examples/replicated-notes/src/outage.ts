import type { AnyStorage, Call, Next, Plugin, Storage } from "@stowage/core";
import { anyLayer, AroundStorage, definePlugin, option, StorageError } from "@stowage/core";

/** The names of the plugs that are pulled. */
export type Pulled = Set<string>;

/** A layer of our own for the storage file: while its plug is pulled, nothing below can be reached. */
export function outagePlugin(pulled: Pulled): Plugin {
  return definePlugin({
    kind: "layer",
    name: "outage",
    description: "Cannot be reached while its plug is pulled.",
    takes: "any",
    options: { plug: option.text("The name of the plug.", { required: true }) },
    make: ({ plug }) => anyLayer((inner: AnyStorage) => new OutageStorage(inner, () => pulled.has(plug))),
  });
}

class OutageStorage<V> extends AroundStorage<V> {
  readonly name = "outage";
  readonly #isOut: () => boolean;

  constructor(inner: Storage<V>, isOut: () => boolean) {
    super(inner);
    this.#isOut = isOut;
  }

  protected override around<T>({ operation, key }: Call, next: Next<T>): Promise<T> {
    if (!this.#isOut()) return next();
    return Promise.reject(new StorageError("unavailable", "The plug is pulled.", { operation, key, storage: this.name }));
  }
}
