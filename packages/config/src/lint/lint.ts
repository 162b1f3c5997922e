import type { AnyStorage, Plugin, Trait } from "@stowage/core";
import { official } from "../official.ts";
import { betterOrder } from "./order.ts";
import type { FindingCode } from "./rules.ts";
import { pairRules, storeRules } from "./rules.ts";

export interface LintOptions {
  /** Plugins whose layers stand in the stack, beside the official ones. @default none */
  readonly plugins?: readonly Plugin[] | undefined;
}

/** An order of layers that is unwise. */
export interface Finding {
  readonly code: FindingCode;
  /** `error`: data would be at risk; the loader stops. `warning`: it works, but not as one would want. */
  readonly severity: "error" | "warning";
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

class Linter {
  readonly #traits: ReadonlyMap<string, readonly Trait[]>;
  readonly #findings: Finding[] = [];
  /** What was visited, below which traits: a storage that many share is not looked at once for each path to it. */
  readonly #visited = new Map<AnyStorage, Set<string>>();

  readonly #encrypting = new Map<AnyStorage, boolean>();

  constructor({ plugins = [] }: LintOptions) {
    const ours = [...official].map(([name, { traits }]) => [name, traits] as const);
    const theirs = plugins.map((plugin) => [plugin.name, traitsOf(plugin)] as const);
    this.#traits = new Map([...ours, ...theirs]);
  }

  lint(storage: AnyStorage): readonly Finding[] {
    this.#visit(storage, []);
    return this.#findings;
  }

  #visit(storage: AnyStorage, above: readonly Part[]): void {
    const seen = this.#visited.get(storage) ?? new Set();
    this.#visited.set(storage, seen);
    const key = [...new Set(above.flatMap(({ traits }) => [...traits]))].sort().join(" ");
    if (seen.has(key)) return;
    seen.add(key);
    const part = this.#part(storage);
    for (const rule of pairRules) {
      if (!part.traits.has(rule.lower)) continue;
      const upper = above.findLast(({ traits }) => traits.has(rule.upper));
      if (upper === undefined || rule.unless?.(upper, part, above) === true) continue;
      this.#report(rule, [upper, part], above);
    }
    const [below, ...stores] = storage.inner;
    const keepsElsewhere = part.traits.has("caches") || part.traits.has("queues");
    if (below !== undefined && keepsElsewhere) {
      for (const rule of storeRules) {
        if (part.traits.has(rule.of) && stores.some((store) => rule.applies(store, below, this.#encrypts)))
          this.#report(rule, [part], above);
      }
    }
    for (const inner of storage.inner) this.#visit(inner, keepsElsewhere && inner !== below ? [] : [...above, part]);
  }

  #report(rule: (typeof pairRules)[number] | (typeof storeRules)[number], parts: readonly Part[], above: readonly Part[]): void {
    const storages = parts.map(({ storage }) => storage);
    const names = storages.map(({ name }) => name);
    const known = this.#findings.some(({ code, storages: [upper] }) => code === rule.code && upper === storages[0]);
    if (known) return;
    this.#findings.push({
      code: rule.code,
      severity: rule.severity,
      message: rule.message(names[0] ?? "", names[1] ?? ""),
      where: names.join(" over "),
      order: betterOrder([...above, ...this.#chain(parts.at(-1)?.storage)]),
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

function traitsOf(plugin: Plugin): readonly Trait[] {
  if (plugin.kind === "codec") return ["codes"];
  return plugin.kind === "layer" ? (plugin.traits ?? []) : [];
}
