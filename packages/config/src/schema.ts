import type { Option, Options, Plugin } from "@stowage/core";
import { formatValue } from "./expectation.ts";
import { Registry } from "./registry.ts";
import { mostRetries } from "./short-form.ts";
import { durationPattern, numberPattern, sizePattern } from "./units.ts";
import { limits } from "./yaml/limits.ts";

export interface SchemaOptions {
  /** Plugins beside the official ones. @default none */
  readonly plugins?: readonly Plugin[] | undefined;
}

/** A JSON Schema, draft 7: the one that editors know. */
export interface JsonSchema {
  readonly [keyword: string]: JsonSchema | readonly JsonSchema[] | readonly string[] | string | number | boolean | undefined;
}

/**
 * The JSON Schema of a storage file, for editors: of all official packages that are installed, and the plugins handed in.
 * What it accepts is what the loader reads, except for what needs the file as a whole: the order of layers, and names
 * after `use`.
 */
export async function storagesSchema(options: SchemaOptions = {}): Promise<JsonSchema> {
  const registry = new Registry(options.plugins);
  await registry.loadInstalled();
  return schemaOf(registry.known);
}

function schemaOf(plugins: readonly Plugin[]): JsonSchema {
  const sorted = plugins.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const backends = sorted.filter(({ kind }) => kind === "backend");
  const layers = sorted.filter(({ kind }) => kind !== "backend");
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Stowage storage file",
    description: "The storages of an application: for each a backend, and layers from the backend up.",
    type: "object",
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
    properties: {
      storages: {
        description: "Storages by name.",
        type: "object",
        minProperties: 1,
        maxProperties: limits.storages,
        propertyNames: { pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
        additionalProperties: ref("storage"),
      },
      storage: shortForm(backends, layers),
    },
    definitions: {
      storage: {
        title: "Storage",
        type: "object",
        additionalProperties: false,
        required: ["backend"],
        properties: {
          backend: ref("backend"),
          layers: {
            description: "Layers, from the backend up.",
            anyOf: [{ type: "array", maxItems: limits.layers, items: ref("layer") }, { type: "null" }],
          },
        },
      },
      backend: {
        description: "Where the data is kept.",
        anyOf: [...named(backends), only("use", { description: "Another storage of this file, by its name.", type: "string" })],
      },
      layer: { description: "One ability.", anyOf: named(layers) },
      secret: {
        title: "Secret",
        description: "A secret by reference; it is never written in the file.",
        anyOf: [
          only("fromEnv", { description: "The environment variable that holds it.", type: "string", minLength: 1 }),
          only("fromFile", { description: "The file that holds it, relative to this one.", type: "string", minLength: 1 }),
        ],
      },
      storageReference: {
        title: "Storage",
        anyOf: [only("use", { description: "Another storage of this file, by its name.", type: "string" }), ref("storage")],
      },
      ...Object.fromEntries(sorted.map((plugin) => [definitionOf(plugin), ofPlugin(plugin)])),
    },
  };
}

/** A name alone where no option must be given, or the name with its options. */
function named(plugins: readonly Plugin[]): JsonSchema[] {
  const alone = plugins.filter(({ options }) => Object.values(options).every(({ required }) => !required));
  const names: JsonSchema[] = alone.map(({ name, description }) => ({ const: name, description }));
  return [...names, ...plugins.map((plugin) => only(plugin.name, ref(definitionOf(plugin))))];
}

function ofPlugin({ name, description, options }: Plugin): JsonSchema {
  const optional = Object.values(options).every(({ required }) => !required);
  if (!optional) return { title: name, description, ...groupOf(options) };
  return { title: name, description, anyOf: [groupOf(options), { type: "null" }] };
}

function groupOf(options: Options): JsonSchema {
  const required = Object.keys(options).filter((name) => options[name]?.required === true);
  return {
    type: "object",
    additionalProperties: false,
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(Object.entries(options).map(([name, option]) => [name, ofOption(option)])),
  };
}

function ofOption(option: Option): JsonSchema {
  const { description } = option;
  const given = "default" in option && option.default !== undefined ? option.default : undefined;
  const standard = given === undefined ? {} : { default: typeof given === "number" ? asWritten(option, given) : given };
  return { description, ...valueOf(option), ...standard };
}

function valueOf(option: Option): JsonSchema {
  switch (option.kind) {
    case "duration":
      return { type: "string", pattern: durationPattern };
    case "size":
      return {
        anyOf: [
          { type: "integer", ...range(option) },
          { type: "string", pattern: sizePattern },
        ],
      };
    case "number":
      return {
        anyOf: [
          { type: option.whole ? "integer" : "number", ...range(option) },
          { type: "string", pattern: numberPattern },
        ],
      };
    case "boolean":
      return { type: "boolean" };
    case "text":
      return { type: "string", ...(option.pattern !== undefined && { pattern: option.pattern.source }) };
    case "choice":
      return { enum: option.values };
    case "path":
      return { type: "string", minLength: 1 };
    case "secret":
      return ref("secret");
    case "list": {
      const { minLength, maxLength } = option;
      return {
        type: "array",
        items: ofOption(option.item),
        ...(minLength > 0 && { minItems: minLength }),
        ...(Number.isFinite(maxLength) && { maxItems: maxLength }),
      };
    }
    case "object":
      return groupOf(option.options);
    case "record":
      return { type: "object", additionalProperties: ofOption(option.value) };
    case "storage":
      return ref("storageReference");
    case "either":
      return { anyOf: option.alternatives.map(ofOption) };
  }
}

function range({ min, max }: { readonly min: number; readonly max: number }): JsonSchema {
  return { ...(Number.isFinite(min) && { minimum: min }), ...(Number.isFinite(max) && { maximum: max }) };
}

/** A default as it would be written: `10s`, or a number. */
function asWritten(option: Option, value: number): string | number {
  return option.kind === "number" || option.kind === "either" ? value : formatValue(option, value);
}

function shortForm(backends: readonly Plugin[], layers: readonly Plugin[]): JsonSchema {
  const codecs = layers.filter(({ kind }) => kind === "codec").map(({ name }) => name);
  const seconds = {
    anyOf: [
      { type: "number", minimum: 0 },
      { type: "string", pattern: durationPattern },
    ],
  };
  const group = (description: string, properties: JsonSchema): JsonSchema => ({
    description,
    anyOf: [
      { type: "boolean" },
      { type: "object", additionalProperties: false, properties: { enabled: { type: "boolean" }, ...properties } },
    ],
  });
  return {
    title: "Storage, in short",
    description: 'One storage named "default", with layers in the canonical order. Bare numbers of durations are seconds.',
    type: "object",
    required: ["type"],
    properties: {
      type: { description: "The backend.", enum: backends.map(({ name }) => name) },
      path: { description: "Where the backend keeps its data, relative to this file.", type: "string", minLength: 1 },
      options: {
        type: "object",
        additionalProperties: false,
        properties: {
          retry: group("Repeats calls that failed for a passing reason.", {
            max: { description: "How often to try again.", type: "integer", minimum: 0, maximum: mostRetries },
            delay: { description: "The wait before the first retry.", ...seconds },
          }),
          encryption: {
            description: "Encrypts what is stored.",
            anyOf: [
              { const: false },
              { type: "object", additionalProperties: false, properties: { enabled: { type: "boolean" }, key: ref("secret") } },
            ],
          },
          compression: {
            description: "Compresses what is stored.",
            anyOf: [
              { type: "boolean" },
              { type: "string" },
              {
                type: "object",
                additionalProperties: false,
                properties: { enabled: { type: "boolean" }, codec: { type: "string" }, level: { type: "integer" } },
              },
            ],
          },
          codec: { description: "Turns bytes into values; without one the storage holds bytes.", enum: codecs },
          cache: group("Keeps what was read.", {
            size: {
              description: "Entries at the most.",
              anyOf: [
                { type: "integer", minimum: 1 },
                { type: "string", pattern: numberPattern },
              ],
            },
            ttl: { description: "How long an entry is kept.", ...seconds },
          }),
        },
      },
    },
  };
}

function ref(definition: string): JsonSchema {
  return { $ref: `#/definitions/${definition}` };
}

/** A group with exactly this name. */
function only(name: string, value: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: false, required: [name], properties: { [name]: value } };
}

const definitionOf = ({ kind, name }: Plugin): string => `${kind}-${name}`;
