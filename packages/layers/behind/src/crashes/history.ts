import type { ByteStorage, Bytes } from "@stowage/core";
import type { World } from "./world.ts";
import { versionOf } from "./world.ts";

/** What a client does to one key; versions tell which write a value is of. */
export type Step =
  | { readonly do: "put" | "write"; readonly key: string; readonly size?: number }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "batch"; readonly keys: readonly string[] }
  | { readonly do: "wait"; readonly duration: number }
  | { readonly do: "flush" };

interface Known {
  /** The last write that was acknowledged; 0 for a delete. */
  acknowledged: number;
  /** What may have happened after it, because nobody knows what became of it. */
  readonly possible: Set<number>;
}

/** What was acknowledged, over the lives of all processes. */
export class History {
  readonly #known = new Map<string, Known>();
  #version = 0;

  async take(step: Step, storage: ByteStorage, world: World): Promise<void> {
    const version = ++this.#version;
    switch (step.do) {
      case "put":
        return await this.#change([step.key], version, world, () => storage.put(step.key, valueOf(version, step.size)));
      case "write":
        return await this.#change([step.key], version, world, () => storage.write(step.key, new Blob([valueOf(version, step.size)])));
      case "delete":
        return await this.#change([step.key], 0, world, () => storage.delete(step.key));
      case "batch":
        return await this.#change(step.keys, version, world, () =>
          storage.batch(step.keys.map((key) => ({ type: "put", key, value: valueOf(version) }))),
        );
      case "wait":
        return await world.clock.advance(step.duration);
      case "flush":
        await world.settled(storage.flush());
    }
  }

  /** What a storage gives that it must not give. What it gives is what is known then. */
  async check(storage: ByteStorage): Promise<string[]> {
    const wrong: string[] = [];
    for (const [key, known] of this.#known) {
      const value = await storage.get(key);
      const found = value === undefined ? 0 : versionOf(value);
      const { acknowledged, possible } = known;
      if (found !== acknowledged && !possible.has(found)) {
        wrong.push(`${key} is ${found}, and must be ${[acknowledged, ...possible].join(" or ")}`);
      }
      known.acknowledged = found;
      possible.clear();
    }
    return wrong;
  }

  async #change(keys: readonly string[], version: number, world: World, send: () => Promise<unknown>): Promise<void> {
    for (const key of keys) {
      const known = this.#known.get(key) ?? { acknowledged: 0, possible: new Set() };
      this.#known.set(key, known);
      known.possible.add(version);
    }
    const outcome = await world.settled(send());
    if (outcome?.isDone !== true) return;
    for (const key of keys) {
      const known = this.#known.get(key)!;
      known.acknowledged = version;
      known.possible.clear();
    }
  }
}

function valueOf(version: number, size = 4): Bytes {
  const value = new Uint8Array(size);
  new DataView(value.buffer).setUint32(0, version);
  return value;
}
