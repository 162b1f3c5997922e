import type { Clock } from "@stowage/core";
import type { Target } from "./bus.ts";

/** Keys beyond which all are distrusted, so that a store that stays down costs no memory without end. */
const mostKeys = 10_000;

/** Something old may be in the store. */
interface Suspicion {
  /** Until then it may still arrive, so that only a removal which begins later clears it up. */
  arrivesUntil: number;
  /** The removal that is to clear it up, while that runs. */
  removal: object | undefined;
}

/** The keys and prefixes under which a store is not to be believed until they were removed from it. */
export class Distrust {
  readonly #patience: number;
  readonly #clock: Clock;
  readonly #keys = new Map<string, Suspicion>();
  readonly #prefixes = new Map<string, Suspicion>();

  /** @param patience milliseconds that something may be on its way to the store after it was given up */
  constructor(patience: number, clock: Clock) {
    this.#patience = patience;
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#prefixes.size === 0;
  }

  has(key: string): boolean {
    if (this.#keys.has(key)) return true;
    for (const prefix of this.#prefixes.keys()) if (key.startsWith(prefix)) return true;
    return false;
  }

  /** Something may be on its way to the store under this key. */
  fear(key: string): void {
    this.#suspect(this.#keys, key).arrivesUntil = this.#clock.now() + this.#patience;
    this.#bound();
  }

  /** Distrusts what is being removed from now on. Gives what to call with whether it was. */
  removing(target: Target): (removed: boolean) => void {
    const begun = this.#clock.now();
    const removal = {};
    const [suspicions, names] = "keys" in target ? [this.#keys, target.keys] : [this.#prefixes, [target.prefix]];
    for (const name of names) this.#suspect(suspicions, name).removal = removal;
    return (removed) => {
      for (const name of names) {
        const suspicion = suspicions.get(name);
        if (suspicion?.removal !== removal) continue; // begun anew meanwhile
        suspicion.removal = undefined;
        if (removed && suspicion.arrivesUntil <= begun) suspicions.delete(name);
      }
      this.#bound();
    };
  }

  /** What a removal now would clear up, and none does yet. */
  due(): Target[] {
    const now = this.#clock.now();
    const names = (suspicions: ReadonlyMap<string, Suspicion>): string[] =>
      [...suspicions].filter(([, { removal, arrivesUntil }]) => removal === undefined && arrivesUntil <= now).map(([name]) => name);
    const keys = names(this.#keys);
    return [...(keys.length > 0 ? [{ keys }] : []), ...names(this.#prefixes).map((prefix) => ({ prefix }))];
  }

  #suspect(suspicions: Map<string, Suspicion>, name: string): Suspicion {
    let suspicion = suspicions.get(name);
    if (suspicion === undefined) suspicions.set(name, (suspicion = { arrivesUntil: Number.NEGATIVE_INFINITY, removal: undefined }));
    return suspicion;
  }

  #bound(): void {
    if (this.#keys.size <= mostKeys) return;
    this.#keys.clear();
    this.#suspect(this.#prefixes, "").arrivesUntil = this.#clock.now() + this.#patience;
  }
}
