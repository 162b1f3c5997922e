import type { AnyStorage, Clock } from "@stowage/core";
import { borrowed, isByteStorage, StorageError } from "@stowage/core";
import type { Step, StoragePlan } from "./plan.ts";
import { misplaced, StorageReference, takesOf } from "./plan.ts";
import type { Place, Problems } from "./problems.ts";
import type { Values } from "./read-options.ts";
import type { Secrets } from "./secrets.ts";
import type { Use } from "./use-order.ts";

export interface MakerOptions {
  readonly problems: Problems;
  readonly secrets: Secrets;
  readonly clock: Clock;
}

/** Makes storages from plans, in their order, and knows what must be closed. Making does no I/O. */
export class Maker {
  /** Every storage by its name in the file. */
  readonly named: Map<string, AnyStorage> = new Map<string, AnyStorage>();
  /** All that was made and nothing else closes, in the order of making. */
  readonly owned: AnyStorage[] = [];
  /** Where the storages were written. */
  readonly places: WeakMap<AnyStorage, Place> = new WeakMap<AnyStorage, Place>();
  readonly #options: MakerOptions;

  constructor(options: MakerOptions) {
    this.#options = options;
  }

  makeAll(plans: readonly StoragePlan[]): void {
    for (const plan of plans) {
      const storage = this.#make(plan);
      if (storage !== undefined) this.named.set(plan.name, storage);
    }
  }

  /** A storage, or undefined where it could not be made, which the problems then say. */
  #make({ name, backend, layers }: StoragePlan): AnyStorage | undefined {
    let top = "use" in backend ? this.#borrow(backend) : this.#makeBackend(backend, name);
    for (const layer of layers) top &&= this.#putOn(top, layer, name);
    return top;
  }

  #makeBackend(step: Step, storage: string): AnyStorage | undefined {
    const made = this.#attempt(step, () => {
      if (step.plugin.kind !== "backend") throw new StorageError("internal", `"${step.plugin.name}" is not a backend.`);
      return step.plugin.make(this.#fill(step.values) as never, { storage, clock: this.#options.clock });
    });
    return made && this.#own(made, step.place);
  }

  #putOn(inner: AnyStorage, step: Step, storage: string): AnyStorage | undefined {
    const takes = takesOf(step.plugin);
    if (takes !== "any" && isByteStorage(inner) !== (takes === "bytes")) {
      const why =
        takes === "bytes" ? misplaced(step, undefined) : `"${step.plugin.name}" works on values: put it above a codec such as json.`;
      this.#options.problems.add(step.place, why);
      return undefined;
    }
    const made = this.#attempt(step, () => {
      if (step.plugin.kind === "backend") throw new StorageError("internal", `"${step.plugin.name}" is not a layer.`);
      return step.plugin.make(this.#fill(step.values) as never, { storage, clock: this.#options.clock })(inner as never);
    });
    return made && this.#own(made, step.place, inner);
  }

  /** Takes a storage over from the one that it stands on, which it closes itself. */
  #own(storage: AnyStorage, place: Place, inner?: AnyStorage): AnyStorage {
    const index = inner === undefined ? -1 : this.owned.lastIndexOf(inner);
    if (index !== -1) this.owned.splice(index, 1);
    this.owned.push(storage);
    this.places.set(storage, place);
    return storage;
  }

  #borrow({ use }: Use): AnyStorage | undefined {
    const storage = this.named.get(use);
    return storage && borrowed()(storage);
  }

  /** The values with storages in place of the references to them. */
  #fill(values: Values): Values {
    return this.#fillOne(values) as Values;
  }

  #fillOne(value: unknown): unknown {
    if (value instanceof StorageReference) return this.#refer(value);
    if (Array.isArray(value)) return value.map((item) => this.#fillOne(item));
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
    const filled = Object.create(null) as Record<string, unknown>;
    for (const [name, item] of Object.entries(value)) filled[name] = this.#fillOne(item);
    return filled;
  }

  #refer({ target, takes, place }: StorageReference): AnyStorage {
    const storage = "use" in target ? this.named.get(target.use) : this.#make(target);
    if (storage === undefined) throw new Unmade();
    if (takes === "any" || isByteStorage(storage)) return borrowed()(storage);
    this.#options.problems.add(place, "expected a storage of bytes; this one holds values.");
    throw new Unmade();
  }

  #attempt(step: Step, make: () => AnyStorage): AnyStorage | undefined {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof Unmade)) this.#report(error, step);
      return undefined;
    }
  }

  /** What a factory refused, at the option that its sentence names, without the secrets that it was given. */
  #report(error: unknown, { place, places }: Step): void {
    const { problems, secrets } = this.#options;
    const sentence = error instanceof Error ? error.message : String(error);
    const mentions = [...places.keys()]
      .map((name) => ({ name, at: sentence.search(new RegExp(`(?<![\\w-])${name}(?![\\w-])`)) }))
      .filter(({ at }) => at !== -1)
      .toSorted((a, b) => a.at - b.at);
    problems.add(places.get(mentions[0]?.name ?? "") ?? place, secrets.redact(sentence));
  }
}

/** Stops the making of what stands on a storage that could not be made; that was said already. */
class Unmade extends Error {}
