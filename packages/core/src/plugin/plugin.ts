import type { Clock } from "../contract/clock.ts";
import type { AnyStorage } from "../contract/contract.ts";
import type { Options, OptionsOf } from "./option-kinds.ts";

/** What a storage does to what passes through it, so that an unwise order can be found. */
export type Trait =
  | "caches"
  | "codes"
  | "compresses"
  | "encrypts"
  | "envelops"
  | "limits"
  | "measures"
  | "queues"
  | "rekeys"
  | "replicates"
  | "retries";

/** What the loader of a file hands to `make` beside the options. */
export interface PluginContext {
  /** The name of the storage in the file. */
  readonly storage: string;
  readonly clock: Clock;
}

/** What every plugin says of itself. */
interface PluginBase<D extends Options> {
  /** The word in YAML, the `name` of the storages that it makes, and the last part of the package name. */
  readonly name: string;
  /** One sentence: what it is for. */
  readonly description: string;
  readonly options: D;
}

export interface BackendPlugin<D extends Options = Options> extends PluginBase<D> {
  readonly kind: "backend";
  /** `any`: its options decide between the two. */
  readonly gives: "bytes" | "values" | "any";
  /** @default [] */
  readonly traits?: readonly Trait[] | undefined;
  make(options: OptionsOf<D>, context: PluginContext): AnyStorage;
}

export interface LayerPlugin<D extends Options = Options> extends PluginBase<D> {
  readonly kind: "layer";
  /** What it stands on, and then gives itself. */
  readonly takes: "bytes" | "values" | "any";
  /** @default [] */
  readonly traits?: readonly Trait[] | undefined;
  make(options: OptionsOf<D>, context: PluginContext): (inner: never) => AnyStorage;
}

export interface CodecPlugin<D extends Options = Options> extends PluginBase<D> {
  readonly kind: "codec";
  make(options: OptionsOf<D>, context: PluginContext): (inner: never) => AnyStorage;
}

/** How a storage file knows a backend, a layer or a codec. A package has its plugins in its entry `./plugin`, as `plugins`. */
export type Plugin = BackendPlugin | LayerPlugin | CodecPlugin;

/**
 * Describes a backend, a layer or a codec, so that a storage file can name it.
 *
 * ```ts
 * export const plugins = [
 *   definePlugin({
 *     kind: "layer",
 *     name: "retry",
 *     description: "Repeats calls that failed for a passing reason.",
 *     takes: "any",
 *     traits: ["retries"],
 *     options: { attempts: option.whole("How often a call is sent at the most.", { min: 1, default: 4 }) },
 *     make: (options, { clock }) => retry({ ...options, clock }),
 *   }),
 * ];
 * ```
 */
export function definePlugin<const D extends Options>(plugin: BackendPlugin<D>): BackendPlugin<D>;
export function definePlugin<const D extends Options>(plugin: LayerPlugin<D>): LayerPlugin<D>;
export function definePlugin<const D extends Options>(plugin: CodecPlugin<D>): CodecPlugin<D>;
export function definePlugin(plugin: Plugin): Plugin {
  return plugin;
}
