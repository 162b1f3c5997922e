import type { Plugin } from "@stowage/core";
import { nearestName } from "@stowage/core";
import type { Described } from "./plan.ts";
import type { Place, Problems } from "./problems.ts";
import { alternatives, quote } from "./problems.ts";
import type { Registry } from "./registry.ts";
import { readDuration } from "./units.ts";
import type { ListNode, MapNode, Node, ScalarNode } from "./yaml/node.ts";
import { isNothing, kindOf } from "./yaml/node.ts";

/**
 * The short form, for people who do not want to think about order: what `storage:` says, as the storage `default` in the
 * canonical order. Only here bare numbers of durations are seconds, and `max` counts retries.
 */
export async function expandShortForm(node: Node, problems: Problems, registry: Registry): Promise<Described[]> {
  const storage = new ShortForm(problems, registry);
  const expanded = await storage.expand(node);
  return expanded === undefined ? [] : [{ name: "default", node: expanded, bareSeconds: true }];
}

/** What `options` may name, in the canonical order, and what each may hold. */
const shortNames: Readonly<Record<"retry" | "encryption" | "compression" | "codec" | "cache", readonly string[]>> = {
  retry: ["enabled", "max", "delay"],
  encryption: ["enabled", "key"],
  compression: ["enabled", "codec", "level"],
  codec: [],
  cache: ["enabled", "size", "ttl"],
};

/** What the short form says of a storage itself; the rest are options of its backend. */
const ownNames: readonly string[] = ["type", "path", "options"];

type ShortName = keyof typeof shortNames;

/** More repeats than this are a mistake. */
export const mostRetries = 1_000;

class ShortForm {
  readonly #problems: Problems;
  readonly #registry: Registry;

  constructor(problems: Problems, registry: Registry) {
    this.#problems = problems;
    this.#registry = registry;
  }

  async expand(node: Node): Promise<MapNode | undefined> {
    if (node.kind !== "map") return this.#wrong(node.place, `expected a storage with a type, got ${kindOf(node)}.`);
    const type = node.entries.get("type")?.value;
    if (type?.kind !== "scalar" || typeof type.value !== "string") {
      const place = type?.place ?? node.place;
      return this.#wrong(place, 'the type is missing: write "type:" with the name of a backend such as file.');
    }
    const backend = await this.#backend(type.value, type.place, node);
    const options = node.entries.get("options")?.value;
    const layers = options === undefined ? [] : this.#layers(options);
    return mapNode(node.place, [
      ["backend", backend],
      ["layers", { kind: "list", place: options?.place ?? node.place, items: layers } satisfies ListNode],
    ]);
  }

  /** The backend with `path` as its option that is a path, and with whatever else stands beside it. */
  async #backend(name: string, place: Place, node: MapNode): Promise<Node> {
    const given = new Map([...node.entries].filter(([option]) => !ownNames.includes(option)));
    const path = node.entries.get("path");
    if (path !== undefined) {
      const found = await this.#registry.find(name, ["backend"]);
      const option = "plugin" in found ? pathOption(found.plugin) : undefined;
      if (option !== undefined && given.has(option)) this.#wrong(path.place, `"path" is the option ${quote(option)} here; keep one.`);
      else if (option !== undefined) given.set(option, path);
      else if ("plugin" in found) this.#wrong(path.place, `the backend ${quote(name)} takes no path.`);
    }
    const options: MapNode = { kind: "map", place: node.place, entries: given };
    return { kind: "map", place, entries: new Map([[name, { place, value: options }]]) };
  }

  #layers(options: Node): Node[] {
    if (options.kind !== "map") {
      this.#wrong(options.place, `expected a group of options, got ${kindOf(options)}.`);
      return [];
    }
    this.#refuseOthers(options, Object.keys(shortNames));
    const of = (name: ShortName): Node | undefined => options.entries.get(name)?.value;
    const layers = [
      this.#retry(of("retry")),
      this.#encrypted(of("encryption")),
      this.#compressed(of("compression")),
      this.#codec(of("codec")),
      this.#cached(of("cache")),
    ];
    return layers.filter((layer) => layer !== undefined);
  }

  #retry(node: Node | undefined): Node | undefined {
    const given = this.#settings("retry", node);
    if (node === undefined || given === undefined) return undefined;
    const options: [string, Node][] = [];
    const max = given.get("max");
    if (max !== undefined) {
      const count = max.kind === "scalar" ? max.value : undefined;
      if (typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= mostRetries) {
        options.push(["attempts", { ...max, value: count + 1 } as ScalarNode]);
      } else this.#wrong(max.place, `expected how often to try again, a whole number from 0 to ${mostRetries}.`);
    }
    const delay = given.get("delay");
    if (delay !== undefined) {
      options.push(["minDelay", delay]);
      if (millisecondsOf(delay) > defaultMaxDelay) options.push(["maxDelay", delay]);
    }
    return layerNode("retry", node.place, options);
  }

  #encrypted(node: Node | undefined): Node | undefined {
    const given = this.#settings("encryption", node);
    if (node === undefined || given === undefined) return undefined;
    const secret = given.get("key");
    if (secret === undefined) {
      return this.#wrong(node.place, "encryption needs a key: { key: { fromEnv: NAME } } or { key: { fromFile: path } }.");
    }
    const key = mapNode(secret.place, [
      ["id", { kind: "scalar", place: secret.place, value: "default", plain: true } satisfies ScalarNode],
      ["secret", secret],
    ]);
    const keys: ListNode = { kind: "list", place: secret.place, items: [key] };
    return layerNode("encrypted", node.place, [["keys", keys]]);
  }

  #compressed(node: Node | undefined): Node | undefined {
    if (node?.kind === "scalar" && typeof node.value === "string") return layerNode("compressed", node.place, [["codec", node]]);
    const given = this.#settings("compression", node);
    return node && given && layerNode("compressed", node.place, given);
  }

  #codec(node: Node | undefined): Node | undefined {
    if (node === undefined || (node.kind === "scalar" && typeof node.value === "string")) return node;
    return this.#wrong(node.place, "expected the name of a codec such as json.");
  }

  #cached(node: Node | undefined): Node | undefined {
    const given = this.#settings("cache", node);
    if (node === undefined || given === undefined) return undefined;
    return layerNode(
      "cached",
      node.place,
      [...given].map(([name, value]) => [name === "size" ? "maxEntries" : name, value]),
    );
  }

  /** `true`, `false` or a group of settings. Gives the settings, or undefined where the layer is off. */
  #settings(name: ShortName, node: Node | undefined): Map<string, Node> | undefined {
    if (node === undefined) return undefined;
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value ? new Map() : undefined;
    if (node.kind !== "map") {
      return this.#wrong(node.place, `expected true, false or a group of options, got ${isNothing(node) ? "nothing" : kindOf(node)}.`);
    }
    this.#refuseOthers(node, shortNames[name]);
    const enabled = node.entries.get("enabled")?.value;
    if (enabled !== undefined && (enabled.kind !== "scalar" || typeof enabled.value !== "boolean")) {
      return this.#wrong(enabled.place, "expected true or false.");
    }
    if (enabled?.kind === "scalar" && enabled.value === false) return undefined;
    const settings = [...node.entries].filter(([setting]) => setting !== "enabled" && shortNames[name].includes(setting as never));
    return new Map(settings.map(([setting, { value }]) => [setting, value]));
  }

  #refuseOthers(node: MapNode, names: readonly string[]): void {
    for (const [name, { place }] of node.entries) {
      if (names.includes(name)) continue;
      const near = nearestName(name, names);
      const hint = near === undefined ? `; there are ${alternatives(names)}.` : `; did you mean ${quote(near)}?`;
      this.#wrong(place, `there is no option ${quote(name)}${hint}`);
    }
  }

  #wrong(place: Place, message: string): undefined {
    this.#problems.add(place, message);
  }
}

/** The default of retry's `maxDelay`: a longer `delay` raises it. */
const defaultMaxDelay = 5_000;

function millisecondsOf(node: Node): number {
  if (node.kind !== "scalar") return 0;
  if (typeof node.value === "number") return node.value * 1_000;
  const reading = readDuration(String(node.value));
  return "value" in reading ? reading.value : 0;
}

/** The option of a backend that says where it keeps its data. */
function pathOption(plugin: Plugin): string | undefined {
  return Object.keys(plugin.options).find((name) => plugin.options[name]?.kind === "path");
}

function layerNode(name: string, place: Place, options: Iterable<readonly [string, Node]>): Node {
  return mapNode(place, [[name, mapNode(place, options)]]);
}

function mapNode(place: Place, entries: Iterable<readonly [string, Node]>): MapNode {
  return { kind: "map", place, entries: new Map([...entries].map(([name, value]) => [name, { place: value.place, value }])) };
}
