import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type { Plugin } from "@stowage/core";
import { nearestName, StorageError } from "@stowage/core";
import { corePlugins } from "./core-plugins.ts";
import { official } from "./official.ts";
import { alternatives, quote } from "./problems.ts";

/** A plugin, or the sentence that says why there is none. */
export type Found = { readonly plugin: Plugin } | { readonly wrong: string };

/** Finds plugins by name: those that were handed in, then the official packages, which are loaded when they are named. */
export class Registry {
  readonly #plugins = new Map<string, Plugin>();
  readonly #loading = new Map<string, Promise<Loaded>>();

  constructor(plugins: readonly Plugin[] = []) {
    for (const plugin of plugins) {
      checkPlugin(plugin);
      if (this.#plugins.has(plugin.name)) {
        throw new StorageError("invalid-option", `plugins has ${quote(plugin.name)} twice; hand in one of them.`);
      }
      this.#plugins.set(plugin.name, plugin);
    }
    for (const plugin of corePlugins) if (!this.#plugins.has(plugin.name)) this.#plugins.set(plugin.name, plugin);
  }

  /** The plugins that were handed in or loaded so far. */
  get known(): readonly Plugin[] {
    return [...this.#plugins.values()];
  }

  /** Every name of these kinds, whether its package is installed or not. */
  names(kinds: readonly Plugin["kind"][]): string[] {
    const handedIn = this.known.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);
    const ours = [...official].filter(([, { kind }]) => kinds.includes(kind)).map(([name]) => name);
    return [...new Set([...handedIn, ...ours])];
  }

  async find(name: string, kinds: readonly Plugin["kind"][]): Promise<Found> {
    const kind = this.#plugins.get(name)?.kind ?? official.get(name)?.kind;
    if (kind === undefined) return { wrong: unknownName(name, kinds, this.names(kinds)) };
    if (!kinds.includes(kind)) return { wrong: wrongPlace[kind](quote(name)) };
    const plugin = this.#plugins.get(name);
    return plugin === undefined ? await this.#load(name) : { plugin };
  }

  /** Loads every official package that is installed. */
  async loadInstalled(): Promise<void> {
    for (const [name, { package: packageName }] of official) {
      if (this.#plugins.has(name) || "missing" in (await this.#import(packageName))) continue;
      const found = await this.#load(name);
      if ("wrong" in found) throw new StorageError("config", found.wrong);
    }
  }

  async #load(name: string): Promise<Found> {
    const { package: packageName = "" } = official.get(name) ?? {};
    const loaded = await this.#import(packageName);
    if ("wrong" in loaded) return { wrong: `${quote(name)} ${loaded.wrong}` };
    const plugin = loaded.plugins.find((candidate) => candidate.name === name);
    if (plugin === undefined) return { wrong: `${quote(name)} is not in the installed version of ${packageName}; update it.` };
    this.#plugins.set(name, plugin);
    return { plugin };
  }

  #import(packageName: string): Promise<Loaded> {
    const loading = this.#loading.get(packageName) ?? importPlugins(packageName);
    this.#loading.set(packageName, loading);
    return loading;
  }
}

/** The plugins of a package, or the end of a sentence that starts with a name and says why there are none. */
type Loaded = { readonly plugins: readonly Plugin[] } | { readonly wrong: string; readonly missing?: true };

/** The name comes from our table, never from a file. */
async function importPlugins(packageName: string): Promise<Loaded> {
  try {
    return (await importEntry(`${packageName}/plugin`)) as { readonly plugins: readonly Plugin[] };
  } catch (error) {
    if (isMissing(error, packageName)) return { wrong: `needs a package that is not installed: npm install ${packageName}`, missing: true };
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return { wrong: `needs ${packageName}, which cannot be loaded: ${reason}` };
  }
}

/** Looks from here first, then from the program that runs: a strict package manager shows each package only its own. */
async function importEntry(entry: string): Promise<unknown> {
  try {
    return await import(/* @vite-ignore */ entry);
  } catch (error) {
    const [, program] = process.argv;
    if (program === undefined || !isMissing(error, entry)) throw error;
    let path: string;
    try {
      path = createRequire(program).resolve(entry);
    } catch {
      throw error;
    }
    return await import(/* @vite-ignore */ pathToFileURL(path).href);
  }
}

/** Whether it is this package, or entry of it, that is missing, and not something that it needs itself. */
function isMissing(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  if (error.code !== "ERR_MODULE_NOT_FOUND" && error.code !== "MODULE_NOT_FOUND") return false;
  const missing = /^Cannot find (?:package|module) '([^']*)'/.exec(error.message)?.[1] ?? "";
  return missing === name || missing.startsWith(`${name}/`) || name.startsWith(`${missing}/`);
}

function unknownName(name: string, kinds: readonly Plugin["kind"][], names: readonly string[]): string {
  const what = kinds.includes("backend") ? "backend" : "layer";
  const near = nearestName(name, names);
  if (near !== undefined) return `there is no ${what} ${quote(name)}; did you mean ${quote(near)}?`;
  return `there is no ${what} ${quote(name)}; there are ${alternatives(names)}, and those handed in as plugins.`;
}

const wrongPlace: Readonly<Record<Plugin["kind"], (name: string) => string>> = {
  backend: (name) => `${name} is a backend; put it under "backend".`,
  layer: (name) => `${name} is a layer; put it under "layers".`,
  codec: (name) => `${name} is a codec; put it under "layers".`,
};

function checkPlugin(plugin: unknown): asserts plugin is Plugin {
  const { kind, name, options, make } = (plugin ?? {}) as Partial<Plugin>;
  const sound =
    (kind === "backend" || kind === "layer" || kind === "codec") &&
    typeof name === "string" &&
    /^[a-z][A-Za-z0-9-]*$/.test(name) &&
    name !== "use" &&
    typeof options === "object" &&
    options !== null &&
    typeof make === "function";
  if (!sound)
    throw new StorageError("invalid-option", "plugins takes what definePlugin() made, with a name of letters, digits and dashes.");
}
