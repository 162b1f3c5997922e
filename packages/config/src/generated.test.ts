import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { azurePlugin, encryptedPlugin, keeperPlugin } from "../test/fakes.ts";
import { parseStorages, storagesReference, storagesSchema } from "./index.ts";
import type { JsonSchema } from "./index.ts";

const repository = join(import.meta.dirname, "../../..");

describe("the committed files", () => {
  test("storage.schema.json is the schema of all official packages here; `vitest -u` brings it up to date", async () => {
    const schema = JSON.stringify(await storagesSchema(), undefined, 2);
    await expect(`${schema}\n`).toMatchFileSnapshot(join(repository, "packages/config/storage.schema.json"));
  });

  test("docs/yaml.md has the options of all official packages here; `vitest -u` brings it up to date", async () => {
    const page = await readFile(join(repository, "docs/yaml.md"), "utf8");
    const written = page.slice(0, page.indexOf(start) + start.length);
    await expect(`${written}\n\n${await storagesReference()}`).toMatchFileSnapshot(join(repository, "docs/yaml.md"));
  });

  test("every storage file in docs/yaml.md loads", async () => {
    const page = await readFile(join(repository, "docs/yaml.md"), "utf8");
    const examples = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text = ""]) => text);
    expect(examples.length).toBeGreaterThan(3);
    for (const text of examples) {
      const env = { USERS_KEY: Buffer.alloc(32).toString("base64"), TOKEN: "x" };
      const storages = await parseStorages(text, { plugins: [azurePlugin, encryptedPlugin], env });
      await storages.close();
    }
  });
});

const start = "<!-- What follows is generated from the definitions of the packages. -->";

describe("the schema", () => {
  const yes: unknown[] = [
    { storages: { a: { backend: "memory" } } },
    { storages: { a: { backend: { memory: null }, layers: null } } },
    {
      storages: {
        a: {
          backend: { file: { directory: "./a", durability: "process" } },
          layers: ["retry", { compressed: { codec: "zstd", maxSize: "64MB" } }, "json"],
        },
      },
    },
    { storages: { a: { backend: { memory: { maxEntries: "10_000" } }, layers: [{ retry: { minDelay: "250ms", budget: 0.5 } }] } } },
    {
      storages: {
        a: { backend: { use: "b" } },
        b: { backend: "memory", layers: [{ keeper: { store: { use: "c" } } }] },
        c: { backend: "memory" },
      },
    },
    { storages: { a: { backend: { azure: { container: "abc", password: { fromEnv: "TOKEN" }, headers: { a: "b" }, budget: true } } } } },
    { storages: { a: { backend: { azure: { container: "abc", journal: { backend: "memory", layers: ["compressed"] } } } } } },
    { storage: { type: "memory" } },
    {
      storage: {
        type: "file",
        path: "/data",
        options: { compression: true, encryption: false, cache: { enabled: true, size: 1000 }, retry: { max: 3, delay: 1.0 } },
      },
    },
    {
      storage: {
        type: "memory",
        options: { encryption: { key: { fromEnv: "USERS_KEY" } }, codec: "json", compression: "gzip", cache: { ttl: "5m" } },
      },
    },
  ];
  const no: unknown[] = [
    null,
    {},
    { storages: {} },
    { storages: { a: {} } },
    { storages: { "a b": { backend: "memory" } } },
    { storages: { a: { backend: "memroy" } } },
    { storages: { a: { backend: "file" } } },
    { storages: { a: { backend: { file: {} } } } },
    { storages: { a: { backend: { memory: {}, file: { directory: "x" } } } } },
    { storages: { a: { backend: { memory: { maxEntris: 5 } } } } },
    { storages: { a: { backend: { memory: { maxEntries: 0 } } } } },
    { storages: { a: { backend: { memory: { maxEntries: 1.5 } } } } },
    { storages: { a: { backend: "memory", layers: "json" } } },
    { storages: { a: { backend: "memory", layers: ["file"] } } },
    { storages: { a: { backend: "memory", layers: [{ retry: { minDelay: 5 } }] } } },
    { storages: { a: { backend: "memory", layers: [{ retry: { minDelay: "5 parsecs" } }] } } },
    { storages: { a: { backend: "memory", layers: [{ compressed: { codec: "lzma" } }] } } },
    { storages: { a: { backend: { azure: { container: "abc", password: "hunter2" } } } } },
    { storages: { a: { backend: { azure: { container: "abc", endpoints: ["a", "b", "c"] } } } } },
    { storage: { path: "x" } },
    { storage: { type: "nothing" } },
    { storage: { type: "memory", options: { retry: { max: -1 } } } },
    { storage: { type: "memory", options: { encryption: true } } },
    { storage: { type: "memory" }, storages: { a: { backend: "memory" } } },
  ];
  const plugins = [azurePlugin, encryptedPlugin, keeperPlugin];
  const env = { TOKEN: "x", USERS_KEY: Buffer.alloc(32).toString("hex") };

  test.each(yes.map((document) => JSON.stringify(document)))("accepts what the loader reads: %s", async (text) => {
    expect(problemsOf(await storagesSchema({ plugins }), JSON.parse(text))).toEqual([]);
    const written = text.replace('"10_000"', "10_000"); // YAML without quotes is text here, as JSON with them
    const storages = await parseStorages(written, { plugins, env, onWarning: () => {} });
    await storages.close();
  });

  test.each(no.map((document) => JSON.stringify(document)))("refuses what the loader refuses: %s", async (text) => {
    expect(problemsOf(await storagesSchema({ plugins }), JSON.parse(text))).not.toEqual([]);
    await expect(parseStorages(text, { plugins, env })).rejects.toMatchObject({ code: "config" });
  });

  test("has a description for every option, and defaults as they are written in a file", async () => {
    const { definitions } = (await storagesSchema()) as {
      readonly definitions: Record<string, { anyOf: { properties: Record<string, JsonSchema> }[] }>;
    };
    const retry = definitions["layer-retry"]?.anyOf[0]?.properties ?? {};
    expect(Object.keys(retry)).toEqual(["attempts", "attemptTimeout", "totalTimeout", "minDelay", "maxDelay", "budget"]);
    expect(retry["attempts"]).toMatchObject({ default: 4, description: expect.stringMatching(/^[A-Z].*\.$/) as string });
    expect(retry["totalTimeout"]).toMatchObject({ default: "30s", type: "string" });
  });

  test("uses only keywords that are checked here", () => {
    expect(problemsOf({ $ref: "#/definitions/none", definitions: {} }, 1)).toEqual(["no definition none"]);
    expect(() => problemsOf({ oneOf: [] }, 1)).toThrow("oneOf");
  });
});

test("what definitions say of defaults is what the factories do", async () => {
  const storages = await parseStorages(
    "storages: { a: { backend: { file: { directory: x } }, layers: [retry, compressed, cached] }, b: { backend: memory } }",
  );
  const schema = (await storagesSchema()) as unknown as { readonly definitions: Record<string, Group> };
  for (const [name, definition] of [
    ["a", "layer-cached"],
    ["a", "layer-compressed"],
    ["a", "layer-retry"],
    ["a", "backend-file"],
    ["b", "backend-memory"],
  ] as const) {
    let storage: {
      readonly name: string;
      readonly inner: readonly (typeof storage)[];
      details(): { readonly options: Readonly<Record<string, unknown>> };
    } = storages.bytes(name);
    while (!definition.endsWith(`-${storage.name}`)) storage = storage.inner[0] ?? storage;
    const group = schema.definitions[definition];
    const options = Object.entries(group?.properties ?? group?.anyOf?.[0]?.properties ?? {});
    for (const [option, { default: standard }] of options) {
      const actual = storage.details().options[option];
      if (standard === undefined || actual === undefined) continue;
      expect({ [option]: inCode(standard) }).toEqual({ [option]: actual });
    }
  }
  await storages.close();
});

interface Group {
  readonly properties?: Record<string, { readonly default?: boolean | number | string }>;
  readonly anyOf?: readonly Group[];
}

function inCode(value: boolean | number | string): unknown {
  const [, digits, unit = ""] = /^(\d+)(ms|s|m|MiB|KiB|MB)$/.exec(String(value)) ?? [];
  const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, MiB: 2 ** 20, KiB: 2 ** 10, MB: 1e6 };
  return digits === undefined ? (/^\d+$/.test(String(value)) ? Number(value) : value) : Number(digits) * (units[unit] ?? 1);
}

/** What of a document does not fit a JSON Schema of the keywords that ours uses. An unknown keyword throws. */
function problemsOf(schema: JsonSchema, value: unknown, root: JsonSchema = schema): string[] {
  const problems: string[] = [];
  const group = typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  const check = (holds: boolean, problem: string): void => void (holds || problems.push(problem));
  const rules: Record<string, (argument: never) => void> = {
    $schema() {},
    title() {},
    description() {},
    default() {},
    definitions() {},
    $ref(path: string) {
      const name = path.replace("#/definitions/", "");
      const target = (root["definitions"] as Record<string, JsonSchema>)[name];
      if (target === undefined) problems.push(`no definition ${name}`);
      else problems.push(...problemsOf(target, value, root));
    },
    anyOf(alternatives: readonly JsonSchema[]) {
      const found = alternatives.map((alternative) => problemsOf(alternative, value, root));
      check(
        found.some((list) => list.length === 0),
        `none of: ${found.map((list) => list[0]).join(" | ")}`,
      );
    },
    type(type: string) {
      const actual = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
      check(actual === type || (type === "integer" && Number.isInteger(value)), `is ${actual}, not ${type}`);
    },
    const(constant: unknown) {
      check(value === constant, `is not ${String(constant)}`);
    },
    enum(values: readonly unknown[]) {
      check(values.includes(value), `is not one of ${values.join(", ")}`);
    },
    pattern(pattern: string) {
      if (typeof value === "string") check(new RegExp(pattern, "u").test(value), `does not match ${pattern}`);
    },
    minimum(minimum: number) {
      if (typeof value === "number") check(value >= minimum, `is below ${minimum}`);
    },
    maximum(maximum: number) {
      if (typeof value === "number") check(value <= maximum, `is above ${maximum}`);
    },
    minLength(length: number) {
      if (typeof value === "string") check(value.length >= length, "is too short");
    },
    items(items: JsonSchema) {
      if (Array.isArray(value)) problems.push(...value.flatMap((item) => problemsOf(items, item, root)));
    },
    minItems(count: number) {
      if (Array.isArray(value)) check(value.length >= count, "has too few items");
    },
    maxItems(count: number) {
      if (Array.isArray(value)) check(value.length <= count, "has too many items");
    },
    required(names: readonly string[]) {
      for (const name of group === undefined ? [] : names) check(Object.hasOwn(group ?? {}, name), `${name} is missing`);
    },
    minProperties(count: number) {
      if (group !== undefined) check(Object.keys(group).length >= count, "has too few names");
    },
    maxProperties(count: number) {
      if (group !== undefined) check(Object.keys(group).length <= count, "has too many names");
    },
    propertyNames(names: JsonSchema) {
      problems.push(...Object.keys(group ?? {}).flatMap((name) => problemsOf(names, name, root)));
    },
    properties(properties: Record<string, JsonSchema>) {
      for (const [name, item] of Object.entries(group ?? {})) {
        const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
        if (property !== undefined) problems.push(...problemsOf(property, item, root).map((problem) => `${name}: ${problem}`));
      }
    },
    additionalProperties(others: JsonSchema | boolean) {
      const known = Object.keys((schema["properties"] as object | undefined) ?? {});
      for (const [name, item] of Object.entries(group ?? {}).filter(([each]) => !known.includes(each))) {
        if (others === false) problems.push(`${name} is not known`);
        else if (typeof others === "object") problems.push(...problemsOf(others, item, root));
      }
    },
  };
  for (const [keyword, argument] of Object.entries(schema)) {
    const rule = Object.hasOwn(rules, keyword) ? rules[keyword] : undefined;
    if (rule === undefined) throw new Error(`The keyword ${keyword} is not checked.`);
    rule(argument as never);
  }
  return problems;
}
