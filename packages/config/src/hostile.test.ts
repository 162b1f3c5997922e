import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { azurePlugin, encryptedPlugin, keeperPlugin, metricsPlugin } from "../test/fakes.ts";
import { ConfigError, parseStorages } from "./index.ts";

const canary = "canary-4815162342";
const env = { SECRET_TEXT: canary, SECRET_KEY: Buffer.from(canary.padEnd(32, "!")).toString("base64") };
const plugins = [azurePlugin, keeperPlugin, encryptedPlugin, metricsPlugin];

/** Loads a text, and gives everything that a person, a log or a dashboard could ever see of it. */
async function outputOf(text: string): Promise<{ error?: ConfigError; output: string }> {
  const warnings: unknown[] = [];
  const onWarning = (warning: unknown): void => void warnings.push(warning);
  try {
    const storages = await parseStorages(text, { plugins, env, onWarning, directory: "/nowhere" });
    const output = inspect([storages.explain(), warnings], { depth: 20 });
    await storages.close();
    return { output };
  } catch (error) {
    expect(error, inspect(error)).toBeInstanceOf(ConfigError);
    return { error: error as ConfigError, output: inspect([error, warnings], { depth: 20, showHidden: true }) };
  }
}

const before = JSON.stringify(propertiesOf(Object.prototype));

function propertiesOf(value: object): string[] {
  return Reflect.ownKeys(value).map(String);
}

afterEach(() => {
  expect(JSON.stringify(propertiesOf(Object.prototype))).toBe(before);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

const inLayers = (layers: string): string => `storages: { a: { backend: memory, layers: ${layers} } }`;
const inAzure = (options: string): string => `storages: { a: { backend: { azure: { container: abc, ${options} } } } }`;
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");

/** Each must be refused by a problem of its own, in less than a moment, without harm. */
const documents: Record<string, string> = {
  // Pollution.
  "__proto__ at the top": "__proto__: { polluted: 1 }\nstorages: { a: { backend: memory } }",
  "__proto__ as a storage": "storages: { __proto__: { backend: memory } }",
  "__proto__ as a storage, in quotes": 'storages: { "__proto__": { polluted: 1 } }',
  "__proto__ by escapes": String.raw`storages: { "\x5f_proto__": { polluted: 1 } }`,
  "__proto__ in options": inAzure("__proto__: { polluted: 1 }"),
  "__proto__ in a record": inAzure("headers: { __proto__: polluted }"),
  "constructor.prototype": inAzure("headers: { constructor: { prototype: { polluted: 1 } } }"),
  "prototype as a storage": "storages: { prototype: { backend: memory } }",
  "constructor as a backend": "storages: { a: { backend: constructor } }",
  "toString as a backend": "storages: { a: { backend: toString } }",
  "toString as an option": inAzure("toString: 1"),
  "hasOwnProperty as a layer": inLayers("[hasOwnProperty]"),
  "__proto__ as a layer": inLayers("[__proto__]"),
  "__proto__ after use": "storages: { a: { backend: { use: __proto__ } } }",
  "constructor after use": "storages: { a: { backend: { use: constructor } } }",
  "__proto__ after fromEnv": inAzure("password: { fromEnv: __proto__ }"),
  "toString after fromEnv": inAzure("password: { fromEnv: toString }"),
  "valueOf as a choice": inLayers("[{ compressed: { codec: valueOf } }]"),
  "constructor as a unit": inLayers("[{ cached: { ttl: 5constructor } }]"),
  // Merge keys, aliases, anchors, tags, directives, documents.
  "merge key pollution": "base: &b { __proto__: { polluted: 1 } }\nstorages: { <<: *b }",
  "a merge key": "storages: { <<: { a: { backend: memory } } }",
  "a merge of a list": "storages: { <<: [{ a: 1 }, { b: 2 }] }",
  "an alias bomb": `a: &a [x, x, x, x, x, x, x, x, x]\n${lines(9, (i) => `${"bcdefghij"[i]}: &${"bcdefghij"[i]} [${Array.from({ length: 9 }, () => `*${"abcdefghi"[i]}`).join(", ")}]`)}`,
  "an alias that holds itself": "storages: &a { a: *a }",
  "an unknown alias": "storages: *nothing",
  "an anchor": "storages: { a: &x { backend: memory } }",
  "a thousand anchors": lines(1_000, (i) => `k${i}: &a${i} 1`),
  "a function tag": "storages: !!js/function 'function () { globalThis.polluted = 1 }'",
  "a regular expression tag": "storages: !!js/regexp /(a+)+$/",
  "a Python tag": "storages: !!python/object/apply:os.system ['touch /tmp/polluted']",
  "a Ruby tag": "--- !ruby/object:Gem::Installer\ni: x",
  "a binary tag": inAzure("password: !!binary Y2FuYXJ5"),
  "an ordered map tag": "storages: !!omap [a: 1, b: 2]",
  "a set tag": "storages: !!set { a, b }",
  "a timestamp tag": inAzure("container: !!timestamp 2001-12-14"),
  "a tag on a name": "!!str storages: {}",
  "a local tag": "storages: !include other.yaml",
  "an environment tag": inAzure("container: !env SECRET_TEXT"),
  "a version directive": "%YAML 1.1\n---\nstorages: { a: { backend: memory } }",
  "a tag directive": "%TAG !e! tag:example.com,2000:\n---\nstorages: !e!x {}",
  "an unknown directive": "%FOO bar\n---\nstorages: {}",
  "two documents": "storages: { a: { backend: memory } }\n---\nstorages: { b: { backend: memory } }",
  "a hundred documents": "---\na: 1\n".repeat(100),
  "a document end in the middle": "storages:\n...\n  a: { backend: memory }",
  // Exhaustion.
  "nested brackets": "[".repeat(60_000),
  "nested braces": "{".repeat(60_000),
  "nested pairs": "{a:".repeat(20_000),
  "nested dashes": "- ".repeat(30_000),
  "nested questions": "? ".repeat(30_000),
  "nested and closed": `${"[".repeat(30_000)}${"]".repeat(30_000)}`,
  "nested by indentation": lines(350, (i) => `${" ".repeat(i)}a:`),
  "brackets that alternate": "[{a: ".repeat(10_000),
  "many names": lines(8_000, (i) => `k${i}: 1`),
  "many names in braces": `{ ${lines(6_000, (i) => `k${i}: 1,`)} }`,
  "many values": `[${"1,".repeat(30_000)}]`,
  "many empty values": `[${",".repeat(60_000)}]`,
  "many names twice": lines(7_000, (i) => `k${i % 10}: 1`),
  "many storages": `storages:\n${lines(1_000, (i) => ` s${i}: { backend: memory }`)}`,
  "many layers": inLayers(`[${Array.from({ length: 4_000 }, () => "readOnly").join(",")}]`),
  "many layers of one, in a storage that is used": `storages: { a: { backend: memory, layers: [${"readOnly,".repeat(40)}] }, b: { backend: { use: a } } }`,
  "a long chain of storages": `storages: { s0: { backend: memory }, ${Array.from({ length: 200 }, (_, i) => `s${i + 1}: { backend: { use: s${i} } }`).join(", ")} }`,
  "a circle of two hundred": `storages: { ${Array.from({ length: 200 }, (_, i) => `s${i}: { backend: { use: s${(i + 1) % 200} } }`).join(", ")} }`,
  "every storage uses every other": `storages: { ${Array.from({ length: 12 }, (_, i) => `s${i}: { backend: memory, layers: [${Array.from({ length: 12 }, (__, j) => `keeper: { store: { use: s${j} } }`).join(", ")}] }`).join(", ")} }`,
  "a store in a store in a store": inLayers(`${"[keeper: { store: { backend: memory, layers: ".repeat(12)}[]${" } }]".repeat(12)}`),
  "a text over the limit": `storages: ${"x".repeat(64 * 1024)}`,
  "a comment over the limit": `#${"x".repeat(64 * 1024)}`,
  "two-byte characters over the limit": `storages: ${"é".repeat(33_000)}`,
  "a long name": `${"x".repeat(60_000)}: 1`,
  "a long layer": inLayers(`[${"x".repeat(60_000)}]`),
  "a long option": inAzure(`${"x".repeat(60_000)}: 1`),
  "a long number": inAzure(`parts: ${"9".repeat(60_000)}`),
  "a long number with underscores": inAzure(`parts: ${"9_".repeat(30_000)}`),
  "a long duration": inAzure(`lease: ${"1_".repeat(30_000)}x`),
  "a long size": inAzure(`partSize: ${"1".repeat(60_000)}MB`),
  "a long container": inAzure(`folder: [${"a".repeat(50_000)}]`),
  "many quotes": `"`.repeat(60_000),
  "many single quotes": `'`.repeat(60_001),
  "many colons": ":".repeat(60_000),
  "many colons with spaces": ": ".repeat(30_000),
  "many ampersands": "& ".repeat(30_000),
  "many stars": "* ".repeat(30_000),
  "many exclamation marks": "! ".repeat(30_000),
  "many pipes": "|\n".repeat(30_000),
  "many tabs": "\t".repeat(60_000),
  "many comments in a group": `a:\n${"#\n".repeat(30_000)} - ]`,
  "many empty lines in a text": `a: |\n${"\n".repeat(60_000)}]`,
  "a folded text": `a: >\n${" x\n".repeat(20_000)}b`,
  // Values that are not what they look like.
  "an infinite number": inAzure("share: .inf"),
  "a number that is none": inAzure("share: .nan"),
  "a negative duration": inAzure("lease: -5s"),
  "an enormous duration": inAzure("lease: 999999999999999999999d"),
  "an enormous size": inAzure("partSize: 999999999999999999TB"),
  "a number beyond the safe ones": inAzure("partSize: 9007199254740993"),
  "an exponent": inAzure("parts: 1e999"),
  "a hexadecimal number out of bounds": inAzure("parts: 0xffffffff"),
  "a lone surrogate": String.raw`storages: { a: { backend: { azure: { container: "\ud800" } } } }`,
  "a lone surrogate as a name": String.raw`storages: { "\udc00": { backend: memory } }`,
  "a NUL in a path": String.raw`storages: { a: { backend: { file: { directory: "a\0b" } } } }`,
  "a NUL in a name": String.raw`storages: { "a\0b": { backend: memory } }`,
  "a null name": "storages: { ~: { backend: memory } }",
  "a list as a name": "storages: { [a]: { backend: memory } }",
  "a group as a name": "storages: { ? { a: 1 } : { backend: memory } }",
  "control characters": "storages: \u0007\u001b[31m",
  "right-to-left overrides": "storages: { \u202Ea: { backend: memory } }",
  "text that is no YAML": "\u0000\u0001\u0002\u0003",
  // Code and files that a name must not reach.
  "a package as a backend": "storages: { a: { backend: node:fs } }",
  "a path as a backend": "storages: { a: { backend: ../../evil.js } }",
  "a URL as a backend": "storages: { a: { backend: 'data:text/javascript,globalThis.polluted=1' } }",
  "a scoped package as a layer": inLayers("['@stowage/retry']"),
  "a package that nobody listed": inLayers("[fast-check]"),
  "an expression": inAzure("container: ${SECRET_TEXT}"),
  "a template": inAzure("container: '{{ env.SECRET_TEXT }}'"),
  // Secrets where they do not belong.
  "a literal secret": inAzure(`password: ${canary}`),
  "a secret in a list": inAzure(`password: [${canary}]`),
  "a secret as a name of a variable": inAzure(`password: { fromEnv: ${canary} }`),
  "a secret of two sources": inAzure(`password: { fromEnv: SECRET_TEXT, fromFile: /etc/hostname }`),
  "a secret from a folder": inAzure("password: { fromFile: / }"),
  "a secret from a device": inAzure("password: { fromFile: /dev/zero }"),
  "a secret from a file that is missing": inAzure("password: { fromFile: ./missing }"),
  "a key that is none": inLayers("[encrypted: { keys: [{ id: a, secret: { fromEnv: SECRET_TEXT } }] }]"),
  "a secret in broken YAML": inAzure(`password: "${canary}`),
  "a secret in a repeated name": `a: "${canary}"\na: '${canary}'`,
  "a secret in wrong indentation": `a:\n    b: ${canary}\n  c: ${canary}`,
};

describe("hostile documents", () => {
  test("are more than a hundred", () => {
    expect(Object.keys(documents).length).toBeGreaterThan(100);
  });

  test.each(Object.entries(documents))("%s: is refused with a place and sentences, and nothing else happens", async (_, text) => {
    const { error, output } = await outputOf(text);
    expect(error?.problems.length).toBeGreaterThan(0);
    expect(error?.message.length).toBeLessThan(12_000);
    for (const { message } of error?.problems ?? []) {
      expect(message.length).toBeLessThan(1_000);
      expect(message).toMatch(/[.?]$|npm install/);
    }
    expect(output).not.toContain(canary);
    expect(error?.message.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202A-\u202E]/u);
  });

  test("a file at every limit at once loads", async () => {
    const storages = lines(156, (i) => ` s${i}: { backend: memory, layers: [${Array.from({ length: 25 }, () => "readOnly").join(",")}] }`);
    const { error } = await outputOf(`storages:\n${storages}\n#${"x".repeat(16_000)}`);
    expect(error).toBeUndefined();
  });

  test("no output of a file that loads holds a secret", async () => {
    const { error, output } = await outputOf(inAzure("password: { fromEnv: SECRET_TEXT }") + "\n  ");
    expect(error).toBeUndefined();
    expect(output).toContain("azure");
    expect(output).not.toContain(canary);
    const directory = await mkdtemp(join(tmpdir(), "stowage-config-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, "canary"), canary);
    const file = `{ fromFile: ${JSON.stringify(join(directory, "canary"))} }`;
    expect((await outputOf(inAzure(`password: ${file}`))).error).toBeUndefined();
    expect((await outputOf(inAzure(`password: ${file}`))).output).not.toContain(canary);
    const noKey = await outputOf(inLayers(`[encrypted: { keys: [{ id: a, secret: ${file} }] }]`));
    expect(noKey.error?.message).toContain("a key must be base64 or hex");
    expect(noKey.output).not.toContain(canary);
    const encrypted = await outputOf(inLayers("[json, encrypted: { keys: [{ id: a, secret: { fromEnv: SECRET_KEY } }] }]"));
    expect(encrypted.error).toBeDefined();
    expect(encrypted.output).not.toContain(env.SECRET_KEY);
  });
});

describe("random documents", () => {
  const runs = process.env["STOWAGE_EFFORT"] === "full" ? 50_000 : 2_000;
  const words = `storages storage backend layers use type path options memory file azure json text retry compressed cached encrypted
    metrics keeper limited prefixed readOnly s3 keys id secret fromEnv fromFile SECRET_TEXT SECRET_KEY password container abc attempts ttl 5m 64MB
    10_000 store a b prefix directory max delay cache enabled compression encryption codec __proto__ constructor prototype toString << ~ ${canary}`;
  const word = fc.constantFrom("", ...words.split(/\s+/));
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6, depthSize: "small" },
      fc.oneof(word, word, fc.integer({ min: -5, max: 5_000 }), fc.boolean(), fc.constant(null), fc.double(), fc.string()),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.array(fc.tuple(word, tie("tree")), { maxLength: 4 }).map((entries) => new Map(entries)),
    ),
  }));
  const flow = (value: unknown): string => {
    if (value instanceof Map) return `{ ${[...value].map(([name, item]) => `${JSON.stringify(name)}: ${flow(item)}`).join(", ")} }`;
    if (Array.isArray(value)) return `[ ${value.map(flow).join(", ")} ]`;
    return typeof value === "string" && /^[a-z0-9_<]\w*$/i.test(value) ? value : (JSON.stringify(value) ?? "null");
  };
  const storage = fc.tuple(tree, fc.array(tree, { maxLength: 4 })).map(
    ([backend, layers]) =>
      new Map<string, unknown>([
        ["backend", backend],
        ["layers", layers],
      ]),
  );
  const structured = fc.oneof(
    tree.map(flow),
    fc.array(fc.tuple(word, storage), { maxLength: 4 }).map((entries) => flow(new Map([["storages", new Map(entries)]]))),
    fc.array(fc.tuple(fc.constantFrom("type", "path", "options"), tree)).map((entries) => flow(new Map([["storage", new Map(entries)]]))),
  );
  const valid = `storages:
  users:
    backend: { file: { directory: ./data } }
    layers:
      - retry: { attempts: 4 }
      - encrypted: { keys: [{ id: "2026-11", secret: { fromEnv: SECRET_KEY } }] }
      - compressed: { codec: zstd }
      - json
      - cached: { maxEntries: 10_000, ttl: 5m }
      - keeper: { store: { use: other } }
  other: { backend: { azure: { container: abc, password: { fromEnv: SECRET_TEXT } } } }
`;
  const mutated = fc
    .array(
      fc.tuple(
        fc.nat({ max: valid.length }),
        fc.nat({ max: 6 }),
        fc.oneof(word, fc.constantFrom("\n", "  ", ":", "- ", "{", "}", "[", "]", '"', "'", "&", "*", "!", "|", "\t", "\u0000")),
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((edits) => edits.reduce((text, [at, removed, added]) => text.slice(0, at) + added + text.slice(at + removed), valid));

  test.each([
    ["of our words", structured],
    ["near a valid file", mutated],
    ["of any characters", fc.string({ unit: "binary", maxLength: 200 })],
  ] as const)(
    "%s load or are refused with config, and never show a secret that was read",
    async (_, documentsOf) => {
      await fc.assert(
        fc.asyncProperty(documentsOf, async (text) => {
          const { output } = await outputOf(text);
          if (!text.includes(canary)) expect(output).not.toContain(canary);
          expect(output).not.toContain(env.SECRET_KEY);
          expect(JSON.stringify(propertiesOf(Object.prototype))).toBe(before);
        }),
        { numRuns: Math.ceil(runs / 3) },
      );
    },
    600_000,
  );
});
