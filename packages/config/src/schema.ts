import type { Plugin } from "@stowage/core";
import type { JsonSchema } from "./option-schema.ts";
import { each, hasEach } from "./each.ts";
import { groupOf, ref } from "./option-schema.ts";
import { Registry } from "./registry.ts";
import { mostRetries } from "./short-form.ts";
import { durationPattern, numberPattern } from "./units.ts";
import { limits } from "./yaml/limits.ts";

export interface SchemaOptions {
  /** Plugins beside the official ones. @default none */
  readonly plugins?: readonly Plugin[] | undefined;
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

function ofPlugin(plugin: Plugin): JsonSchema {
  const { name, description, options } = plugin;
  const optional = Object.values(options).every(({ required }) => !required);
  if (!optional) return { title: name, description, ...groupOf(options) };
  const short: JsonSchema[] = hasEach(plugin) ? [{ const: each, description: "Above the backend and above every layer." }] : [];
  return { title: name, description, anyOf: [groupOf(options), { type: "null" }, ...short] };
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

/** A group with exactly this name. */
function only(name: string, value: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: false, required: [name], properties: { [name]: value } };
}

const definitionOf = ({ kind, name }: Plugin): string => `${kind}-${name}`;
