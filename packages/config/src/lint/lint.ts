import type { AnyStorage, Plugin, Trait } from "@stowage/core";
import { official } from "../official.ts";
import { betterOrder } from "./order.ts";
import type { FindingCode, Severity } from "./rules.ts";
import { pairRules, storeRules } from "./rules.ts";

export interface LintOptions {
  /** Plugins whose layers stand in the stack, beside the official ones. @default none */
  readonly plugins?: readonly Plugin[] | undefined;
}

/** An order of layers that is unwise. */
export interface Finding {
  readonly code: FindingCode;
  /** `error`: data would be at risk; the loader stops. `warning`: it works, but not as one would want. `note`: it is well, and one should know. */
  readonly severity: Severity;
  /** One sentence: what is wrong, and what to do. */
  readonly message: string;
  /** The layers that do not go together: "retry over json". */
  readonly where: string;
  /** A better order of the whole stack, from the backend up. */
  readonly order: readonly string[];
  /** The storages that it is about, the upper one first. */
  readonly storages: readonly AnyStorage[];
}

/** A storage of a stack and what it does. */
export interface Part {
  readonly storage: AnyStorage;
  readonly traits: ReadonlySet<Trait>;
}

/**
 * Unwise orders in a stack. The compiler refuses what cannot work; this finds what works and should not be done. The order
 * that is always right, from the backend up: backend, behind, retry, encrypted, envelope, compressed, codec, cached, metrics.
 *
 * ```ts
 * for (const { message, order } of lint(users)) console.warn(message, order);
 * ```
 */
export function lint(storage: AnyStorage, options: LintOptions = {}): readonly Finding[] {
  return new Linter(options).lint(storage);
}

/** What stands above a storage, the nearest first. */
interface Above {
  readonly part: Part;
  readonly next: Above | undefined;
  /** Every trait from here up. */
  readonly traits: ReadonlySet<Trait>;
}

/** A way from the top down to one backend; its better order is worked out once, when the first finding asks. */
interface Path {
  readonly parts: () => readonly Part[];
  order?: readonly string[];
}

class Linter {
  readonly #traits: ReadonlyMap<string, readonly Trait[]>;
  readonly #findings: Finding[] = [];
  readonly #known = new Map<AnyStorage, Set<FindingCode>>();
  /** What was visited, below which traits: a storage that many share is not looked at once for each way to it. */
  readonly #visited = new Map<AnyStorage, Set<string>>();
  readonly #encrypting = new Map<AnyStorage, boolean>();

  constructor({ plugins = [] }: LintOptions) {
    const ours = [...official].map(([name, { traits }]) => [name, traits] as const);
    const theirs = plugins.map((plugin) => [plugin.name, traitsOf(plugin)] as const);
    this.#traits = new Map([...ours, ...theirs]);
  }

  lint(storage: AnyStorage): readonly Finding[] {
    this.#visit(storage, undefined, { parts: () => this.#chain(storage) });
    return this.#findings;
  }

  #visit(storage: AnyStorage, above: Above | undefined, path: Path): void {
    if (this.#seen(storage, above)) return;
    const part = this.#part(storage);
    for (const rule of pairRules) {
      if (!part.traits.has(rule.lower) || above?.traits.has(rule.upper) !== true) continue;
      const upper = nearest(above, rule.upper);
      if (upper !== undefined && rule.unless?.(upper, part, above.traits) !== true) this.#report(rule, [upper, part], path);
    }
    const [below, ...others] = storage.inner;
    if (below === undefined) return;
    const keepsElsewhere = part.traits.has("caches") || part.traits.has("queues");
    for (const rule of keepsElsewhere ? storeRules : []) {
      const applies = rule.of.some((trait) => part.traits.has(trait)) && others.some((store) => rule.applies(store, below, this.#encrypts));
      if (applies) this.#report(rule, [part], path);
    }
    const here: Above = { part, next: above, traits: new Set([...(above?.traits ?? []), ...part.traits]) };
    this.#visit(below, here, path);
    for (const other of others) {
      // A store is a stack of its own; what a part chooses among is not.
      const around = keepsElsewhere ? undefined : here;
      this.#visit(other, around, { parts: () => [...partsOf(around), ...this.#chain(other)] });
    }
  }

  #seen(storage: AnyStorage, above: Above | undefined): boolean {
    const seen = this.#visited.get(storage) ?? new Set();
    this.#visited.set(storage, seen);
    const key = [...(above?.traits ?? [])].sort().join(" ");
    return seen.size === seen.add(key).size;
  }

  #report(rule: (typeof pairRules)[number] | (typeof storeRules)[number], parts: readonly [Part, Part?], path: Path): void {
    const [{ storage: upper }, lower] = parts;
    const known = this.#known.get(upper) ?? new Set();
    this.#known.set(upper, known);
    if (known.size === known.add(rule.code).size) return;
    const storages = lower === undefined ? [upper] : [upper, lower.storage];
    this.#findings.push({
      code: rule.code,
      severity: rule.severity,
      message: rule.message(upper.name, lower?.storage.name ?? ""),
      where: storages.map(({ name }) => name).join(" over "),
      order:
        "keepOne" in rule
          ? betterOrder(path.parts().filter(({ storage }) => storage !== upper))
          : (path.order ??= betterOrder(path.parts())),
      storages,
    });
  }

  /** A storage and what it stands on, down to a backend. */
  #chain(top: AnyStorage | undefined): Part[] {
    const chain: Part[] = [];
    for (let storage = top; storage !== undefined; storage = storage.inner[0]) chain.push(this.#part(storage));
    return chain;
  }

  #part(storage: AnyStorage): Part {
    return { storage, traits: new Set(this.#traits.get(storage.name)) };
  }

  /** Whether all that is put into a storage is encrypted before it gets to a backend. */
  readonly #encrypts = (storage: AnyStorage): boolean => {
    const known = this.#encrypting.get(storage);
    if (known !== undefined) return known;
    const { traits } = this.#part(storage);
    const encrypting = traits.has("encrypts") || (storage.inner.length > 0 && storage.inner.every(this.#encrypts));
    this.#encrypting.set(storage, encrypting);
    return encrypting;
  };
}

function nearest(above: Above | undefined, trait: Trait): Part | undefined {
  for (let at = above; at !== undefined; at = at.next) if (at.part.traits.has(trait)) return at.part;
  return undefined;
}

/** From the top down. */
function partsOf(above: Above | undefined): Part[] {
  const parts: Part[] = [];
  for (let at = above; at !== undefined; at = at.next) parts.unshift(at.part);
  return parts;
}

function traitsOf(plugin: Plugin): readonly Trait[] {
  if (plugin.kind === "codec") return ["codes"];
  return plugin.traits ?? [];
}
