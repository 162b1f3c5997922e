import type { AnyStorage, ByteStorage } from "@stowage/core";
import { describe, test } from "vitest";
import { describeStorage } from "./describe-storage.ts";
import { layerPromises } from "./layers/layer-promises.ts";
import type { LayerSubject } from "./layers/layer-subject.ts";
import { onInner } from "./layers/layer-subject.ts";
import { defaultPatience } from "./run.ts";

/**
 * Registers with Vitest what a layer promises: the whole contract through the layer on memory, on itself and on storages
 * that can do less; that each call goes down once with all its options; that errors come up and aborts go down as they
 * are; that it claims no ability that it does not have.
 *
 * ```ts
 * describeLayer("retry", { create: (inner, { clock }) => retry({ clock })(inner) });
 * ```
 */
export function describeLayer<In extends AnyStorage = ByteStorage>(name: string, subject: LayerSubject<In>): void {
  describe(name, () => {
    if (subject.documented?.refuses === undefined) describeStorage("on memory", onInner(subject));
    describe("as a layer", () => {
      for (const promise of layerPromises(subject)) test(promise.name, () => promise.run(defaultPatience));
    });
  });
}
