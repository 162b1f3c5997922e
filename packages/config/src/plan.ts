import type { Plugin, StorageOption } from "@stowage/core";
import { nearestName } from "@stowage/core";
import { spreadEach, withEach } from "./each.ts";
import type { Place, Problems } from "./problems.ts";
import { alternatives, quote } from "./problems.ts";
import type { ReadContext, Values } from "./read-options.ts";
import { readOptions } from "./read-options.ts";
import type { Registry } from "./registry.ts";
import type { Secrets } from "./secrets.ts";
import type { Use } from "./use-order.ts";
import { inUseOrder } from "./use-order.ts";
import type { Node } from "./yaml/node.ts";
import { isNothing, kindOf } from "./yaml/node.ts";
import { limits } from "./yaml/limits.ts";

/** One backend, layer or codec with its options. */
export interface Step {
  readonly plugin: Plugin;
  readonly values: Values;
  readonly place: Place;
  /** Where each option stands. */
  readonly places: ReadonlyMap<string, Place>;
}

/** How one storage is to be made. */
export interface StoragePlan {
  /** The name in the file; for a storage inside an option, that of the storage it belongs to. */
  readonly name: string;
  readonly place: Place;
  readonly backend: Step | Use;
  readonly layers: readonly Step[];
}

/** Stands for a storage in the value of an option until that storage is made. */
export class StorageReference {
  readonly target: StoragePlan | Use;
  readonly takes: StorageOption["takes"];
  readonly place: Place;

  constructor(target: StoragePlan | Use, takes: StorageOption["takes"], place: Place) {
    this.target = target;
    this.takes = takes;
    this.place = place;
  }
}

/** One storage as the file describes it, before it is planned. */
export interface Described {
  readonly name: string;
  readonly node: Node;
  readonly bareSeconds: boolean;
}

export interface PlannerOptions {
  readonly problems: Problems;
  readonly registry: Registry;
  readonly secrets: Secrets;
  readonly directory: string;
}

/** Turns descriptions of storages into plans. Finds everything that is wrong without making anything. */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #names: readonly string[];
  /** The storages that each named storage uses, for the search for circles. */
  readonly #uses = new Map<string, Use[]>();

  constructor(options: PlannerOptions, names: readonly string[]) {
    this.#options = options;
    this.#names = names;
  }

  /** The plans in an order in which a storage comes after those that it uses. */
  async plan(storages: readonly Described[]): Promise<StoragePlan[]> {
    const { problems } = this.#options;
    const plans = new Map<string, StoragePlan>();
    for (const described of storages) {
      this.#uses.set(described.name, []);
      const plan = await this.#plan(described.node, described);
      if (plan !== undefined) plans.set(described.name, plan);
    }
    const ordered = inUseOrder(this.#names, this.#uses, problems);
    return ordered.map((name) => plans.get(name)).filter((plan) => plan !== undefined);
  }

  async #plan(node: Node, of: Described): Promise<StoragePlan | undefined> {
    const { problems } = this.#options;
    if (node.kind !== "map") {
      problems.add(node.place, `expected a storage with a backend and layers, got ${kindOf(node)}.`);
      return undefined;
    }
    for (const [name, { place }] of node.entries) {
      if (name !== "backend" && name !== "layers") problems.add(place, unknownPart(name));
    }
    const backendNode = node.entries.get("backend")?.value;
    if (backendNode === undefined) problems.add(node.place, 'the backend is missing: write "backend:" with a name such as file.');
    const backend = backendNode === undefined ? undefined : await this.#backend(backendNode, of);
    const layers = await this.#layers(node.entries.get("layers")?.value, of);
    if (backend === undefined || layers === undefined) return undefined;
    this.#checkOrder(backend, layers);
    return { name: of.name, place: node.place, backend, layers };
  }

  async #backend(node: Node, of: Described): Promise<Step | Use | undefined> {
    const named = this.#named(node, "a backend");
    if (named === undefined) return undefined;
    return named.name === "use" ? this.#use(named.options, of) : await this.#step(named, ["backend"], of);
  }

  /** All layers, or undefined where something is wrong with one of them. */
  async #layers(node: Node | undefined, of: Described): Promise<readonly Step[] | undefined> {
    if (node === undefined || isNothing(node)) return [];
    if (node.kind !== "list") {
      this.#options.problems.add(node.place, `expected a list of layers, from the backend up, each after a dash; got ${kindOf(node)}.`);
      return undefined;
    }
    if (node.items.length > limits.layers) {
      this.#options.problems.add(node.place, `a storage may have ${limits.layers} layers at the most.`);
      return undefined;
    }
    const layers: (Step | undefined)[] = [];
    for (const item of node.items) {
      const named = this.#named(item, "a layer");
      layers.push(named && (await this.#step(named, ["layer", "codec"], of)));
    }
    const sound = layers.filter((layer) => layer !== undefined);
    return sound.length === layers.length ? spreadEach(sound, this.#options.problems) : undefined;
  }

  /** `json` or `retry: { ... }`. */
  #named(node: Node, what: string): Named | undefined {
    const { problems } = this.#options;
    if (node.kind === "scalar" && typeof node.value === "string" && node.value !== "") {
      return { name: node.value, place: node.place, options: { kind: "scalar", place: node.place, value: null, plain: true } };
    }
    const [first, second] = node.kind === "map" ? node.entries : [];
    if (first === undefined) {
      problems.add(node.place, `expected the name of ${what}, or the name with its options; got ${kindOf(node)}.`);
      return undefined;
    }
    if (second !== undefined) {
      problems.add(second[1].place, `${quote(second[0])} is a second name where one is expected; its options are indented further.`);
      return undefined;
    }
    const [name, { place, value }] = first;
    return { name, place, options: value };
  }

  async #step({ name, place, options }: Named, kinds: readonly Plugin["kind"][], of: Described): Promise<Step | undefined> {
    const found = await this.#options.registry.find(name, kinds);
    if ("wrong" in found) {
      this.#options.problems.add(place, found.wrong);
      return undefined;
    }
    const given: Node = isNothing(options) ? { kind: "map", place, entries: new Map() } : withEach(found.plugin, options);
    const values = await readOptions(found.plugin.options, given, this.#readContext(of));
    const places = new Map(options.kind === "map" ? [...options.entries].map(([option, entry]) => [option, entry.place]) : []);
    return values && { plugin: found.plugin, values, place, places };
  }

  #use(node: Node, of: Described): Use | undefined {
    const name = node.kind === "scalar" && typeof node.value === "string" ? node.value : undefined;
    if (name === undefined) {
      this.#options.problems.add(node.place, `expected the name of a storage of this file, got ${kindOf(node)}.`);
      return undefined;
    }
    if (!this.#names.includes(name)) {
      this.#options.problems.add(node.place, unknownStorage(name, this.#names));
      return undefined;
    }
    const use: Use = { use: name, place: node.place };
    this.#uses.get(of.name)?.push(use);
    return use;
  }

  async #reference(node: Node, takes: StorageOption["takes"], of: Described): Promise<StorageReference | undefined> {
    const use = node.kind === "map" && node.entries.size === 1 ? node.entries.get("use")?.value : undefined;
    const target = use === undefined ? await this.#plan(node, of) : this.#use(use, of);
    return target && new StorageReference(target, takes, node.place);
  }

  #readContext(of: Described): ReadContext {
    const { problems, secrets, directory } = this.#options;
    const planStorage: ReadContext["planStorage"] = (node, takes) => this.#reference(node, takes, of);
    return { problems, secrets, directory, bareSeconds: of.bareSeconds, planStorage };
  }

  /** Bytes below, values above, one codec between. */
  #checkOrder(backend: Step | Use, layers: readonly Step[]): void {
    let gives = "use" in backend || backend.plugin.kind !== "backend" ? "any" : backend.plugin.gives;
    let codec: Step | undefined;
    for (const layer of layers) {
      const { plugin, place } = layer;
      const takes = takesOf(plugin);
      if (takes === "bytes" && gives === "values") this.#options.problems.add(place, misplaced(layer, codec));
      if (takes === "values" && gives === "bytes") {
        this.#options.problems.add(place, `${quote(plugin.name)} works on values: put it above a codec such as json.`);
      }
      if (plugin.kind === "codec") {
        gives = "values";
        codec = layer;
      } else if (takes !== "any") gives = takes;
    }
  }
}

/** What a layer or codec stands on. */
export function takesOf(plugin: Plugin): "bytes" | "values" | "any" {
  if (plugin.kind === "codec") return "bytes";
  return plugin.kind === "layer" ? plugin.takes : "any";
}

/** Why a step that works on bytes cannot stand where values are. */
export function misplaced({ plugin }: Step, codec: Step | undefined): string {
  if (plugin.kind === "codec") {
    return codec === undefined
      ? `${quote(plugin.name)} turns bytes into values, and what is below has values already: remove it.`
      : `${quote(plugin.name)} is a second codec above ${quote(codec.plugin.name)}: keep one.`;
  }
  return `${quote(plugin.name)} works on bytes: put it below ${codec === undefined ? "what turns them into values" : `the codec ${quote(codec.plugin.name)}`}.`;
}

/** Why there is no storage of a name. */
export function unknownStorage(name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  if (near !== undefined) return `there is no storage ${quote(name)}; did you mean ${quote(near)}?`;
  return `there is no storage ${quote(name)}; there ${names.length === 1 ? "is" : "are"} ${alternatives(names.slice(0, 12))}.`;
}

interface Named {
  readonly name: string;
  readonly place: Place;
  readonly options: Node;
}

function unknownPart(name: string): string {
  const near = nearestName(name, ["backend", "layers"]);
  if (near !== undefined) return `there is no ${quote(name)} in a storage; did you mean ${quote(near)}?`;
  return `there is no ${quote(name)} in a storage; it has "backend" and "layers".`;
}
