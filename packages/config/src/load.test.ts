import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { definePlugin, findLayer, option, StorageError } from "@stowage/core";
import type { AnyStorage, Plugin, StandardSchema } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { RetryStorage } from "@stowage/retry";
import { describe, expect, onTestFinished, test } from "vitest";
import { azurePlugin, encryptedPlugin, FakeEncrypted, FakeLayer, fakePlugin, keeperPlugin, metricsPlugin } from "../test/fakes.ts";
import { ConfigError, loadStorages, parseStorages } from "./index.ts";
import type { ParseOptions } from "./index.ts";

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-config-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const key = Buffer.alloc(32, 7).toString("base64");
const plugins: readonly Plugin[] = [azurePlugin, keeperPlugin, encryptedPlugin, metricsPlugin];

const silent = (): void => {};
const parse = (text: string, options: ParseOptions = {}) =>
  parseStorages(text, { plugins, env: { USERS_KEY: key }, onWarning: silent, ...options });

/** What is wrong, in the words that a person would read. */
async function failure(text: string, options: ParseOptions = {}): Promise<string> {
  const error: unknown = await parse(text, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(StorageError.is(error, "config"), String(error)).toBe(true);
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message;
}

/** The names of a stack, from the backend up. */
function namesOf(storage: AnyStorage): string[] {
  const [below] = storage.inner;
  return [...(below === undefined ? [] : namesOf(below)), storage.name];
}

describe("the long form", () => {
  const printed = `storages:
  users:
    backend:
      file: { directory: ./data/users }
    layers:                                  # from the backend up
      - retry: { attempts: 4 }
      - encrypted: { keys: [{ id: "2026-11", secret: { fromEnv: USERS_KEY } }] }
      - compressed: { codec: zstd }
      - json
      - cached: { maxEntries: 10_000, ttl: 5m, maxSize: 64MB }
      - metrics
`;

  test("loads the example of the design as it is printed, without a warning", async () => {
    const warnings: unknown[] = [];
    const storages = await parse(printed, { directory: "/srv/app", onWarning: (warning) => warnings.push(warning) });
    const users = storages.get("users");
    expect(namesOf(users)).toEqual(["file", "retry", "encrypted", "compressed", "json", "cached", "metrics"]);
    expect(users.inner[0]?.details().options).toMatchObject({ maxEntries: 10_000, ttl: 300_000, maxSize: 64_000_000 });
    expect(findLayer(users, RetryStorage)?.details().options["attempts"]).toBe(4);
    expect(findLayer(users, FakeEncrypted)?.keys).toEqual([{ id: "2026-11", secret: new Uint8Array(32).fill(7) }]);
    expect(storages.explain()).toContain('directory: "/srv/app/data/users"');
    expect(warnings).toEqual([]);
    await storages.close();
  });

  test("makes storages that work: what is put through the stack is got back", async () => {
    const storages = await parse(`storages: { users: { backend: memory, layers: [retry, compressed, json] }, files: { backend: memory } }`);
    const users = storages.get<{ name: string }>("users");
    await users.put("ada", { name: "Ada" });
    expect(await users.get("ada")).toEqual({ name: "Ada" });
    await storages.bytes("files").put("a", new Uint8Array([1]));
    expect(await storages.bytes("files").get("a")).toEqual(new Uint8Array([1]));
    expect(storages.names).toEqual(["users", "files"]);
    await storages.close();
  });

  test("takes names alone, names without options and empty options alike", async () => {
    const storages = await parse(
      "storages:\n  a:\n    backend:\n      memory:\n    layers:\n      - retry:\n      - retry: {}\n      - text\n",
    );
    expect(namesOf(storages.get("a"))).toEqual(["memory", "retry", "retry", "text"]);
    await storages.close();
  });

  test("gives every kind of option to make as code would have it", async () => {
    const storages = await parse(
      `storages:
  a:
    backend:
      azure:
        container: photos
        endpoints: [one, "2"]
        headers: { x-one: a, __proto: b }
        share: 0.5
        parts: 1_00
        partSize: 5MB
        lease: 1.5s
        strict: true
        folder: sub/../here
        budget: false
  b: { backend: { azure: { container: abc, budget: 3, partSize: 5_000_000 } } }
`,
      { directory: "/srv" },
    );
    expect(storages.bytes("a").details().options).toEqual({
      container: "photos",
      endpoints: ["one", "2"],
      headers: { "x-one": "a", __proto: "b" },
      share: 0.5,
      parts: 100,
      partSize: 5_000_000,
      lease: 1_500,
      strict: true,
      folder: "/srv/here",
      budget: false,
    });
    expect(storages.bytes("b").details().options).toEqual({ container: "abc", budget: 3, partSize: 5_000_000 });
    await storages.close();
  });

  test("hands its clock to everything that it makes", async () => {
    const clock = { now: () => 1_000, sleep: () => Promise.resolve() };
    const seen: unknown[] = [];
    const spy = definePlugin({
      kind: "layer",
      name: "spy",
      description: "Looks.",
      takes: "any",
      options: {},
      make: (_, context) => (seen.push(context.clock, context.storage), (inner: AnyStorage) => inner),
    });
    await parse("storages: { a: { backend: memory, layers: [spy] } }", { plugins: [spy], clock });
    expect(seen).toEqual([clock, "a"]);
  });
});

describe("the short form", () => {
  const printed = `storage:
  type: file
  path: /data
  options: { compression: true, encryption: false, cache: { enabled: true, size: 1000 }, retry: { max: 3, delay: 1.0 } }   # encryption: { key: { fromEnv: NAME } }
`;

  test("loads the example of the design as it is printed, in the canonical order", async () => {
    const warnings: unknown[] = [];
    const storages = await parse(printed, { onWarning: (warning) => warnings.push(warning) });
    expect(storages.names).toEqual(["default"]);
    const storage = storages.bytes("default");
    expect(namesOf(storage)).toEqual(["file", "retry", "compressed", "cached"]);
    expect(storage.details().options).toMatchObject({ maxEntries: 1_000 });
    expect(findLayer(storage, RetryStorage)?.details().options).toMatchObject({ attempts: 4, minDelay: 1_000, maxDelay: 5_000 });
    expect(storages.explain()).toMatch(/file +directory: "\/data"[^]*retry[^]*compressed[^]*cached/);
    expect(warnings).toEqual([]);
    await storages.close();
  });

  test.each<[string, string[]]>([
    ["{ type: memory }", ["memory"]],
    ["{ type: memory, options: { } }", ["memory"]],
    [
      "{ type: memory, options: { cache: true, codec: json, compression: true, encryption: { key: { fromEnv: USERS_KEY } }, retry: true } }",
      ["memory", "retry", "encrypted", "compressed", "json", "cached"],
    ],
    [
      "{ type: memory, options: { cache: { enabled: false }, compression: false, encryption: { enabled: false }, retry: false } }",
      ["memory"],
    ],
    ["{ type: memory, options: { compression: gzip } }", ["memory", "compressed"]],
    ["{ type: memory, options: { compression: { codec: brotli, level: 1 } } }", ["memory", "compressed"]],
  ])("%s stands for %j", async (short, names) => {
    const storages = await parse(`storage: ${short}`);
    const storage = names.includes("json") ? storages.get("default") : storages.bytes("default");
    expect(namesOf(storage)).toEqual(names);
    await storages.close();
  });

  test("takes bare numbers as seconds, and durations with their unit as they are", async () => {
    const storages = await parse(
      "storage: { type: memory, options: { retry: { max: 0, delay: 250ms }, cache: { size: 10_000, ttl: 1_800 } } }",
    );
    const storage = storages.bytes("default");
    expect(storage.details().options).toMatchObject({ maxEntries: 10_000, ttl: 1_800_000 });
    expect(findLayer(storage, RetryStorage)?.details().options).toMatchObject({ attempts: 1, minDelay: 250 });
    await storages.close();
  });

  test("raises the longest wait of retry with a long delay", async () => {
    const storages = await parse("storage: { type: memory, options: { retry: { delay: 10 } } }");
    expect(findLayer(storages.bytes("default"), RetryStorage)?.details().options).toMatchObject({ minDelay: 10_000, maxDelay: 10_000 });
  });

  test("gives what stands beside the type to the backend", async () => {
    const storages = await parse("storage: { type: azure, container: abc, lease: 2, path: x }", { directory: "/srv" });
    expect(storages.bytes("default").details().options).toEqual({ container: "abc", lease: 2_000, folder: "/srv/x" });
  });

  test.each<[string, string]>([
    ["storage: { path: /data }", 'storage.yaml:1:10 storage: the type is missing: write "type:"'],
    ["storage: [file]", "expected a storage with a type, got a list."],
    ["storage: { type: fil, path: x }", '1:18 storage.type: there is no backend "fil"; did you mean "file"?'],
    ["storage: { type: retry }", '"retry" is a layer; put it under "layers".'],
    ["storage: { type: memory, path: x }", 'storage.path: the backend "memory" takes no path.'],
    ["storage: { type: file, path: x, directory: y }", '"path" is the option "directory" here; keep one.'],
    ["storage: { type: file, path: x, laiout: tree }", 'storage.laiout: there is no option "laiout"; did you mean "layout"?'],
    ["storage: { type: memory, options: true }", "storage.options: expected a group of options, got true or false."],
    ["storage: { type: memory, options: { compresion: true } }", 'there is no option "compresion"; did you mean "compression"?'],
    ["storage: { type: memory, options: { retry: { mx: 1 } } }", 'there is no option "mx"; did you mean "max"?'],
    ["storage: { type: memory, options: { retry: { max: 1.5 } } }", "expected how often to try again, a whole number from 0 to 1000."],
    ["storage: { type: memory, options: { retry: { max: -1 } } }", "expected how often to try again"],
    ["storage: { type: memory, options: { retry: yes } }", "expected true, false or a group of options, got text."],
    ["storage: { type: memory, options: { retry: { enabled: 1 } } }", "storage.options.retry.enabled: expected true or false."],
    ["storage: { type: memory, options: { retry: { delay: soon } } }", "storage.options.retry.delay: expected a duration"],
    ["storage: { type: memory, options: { encryption: true } }", "encryption needs a key: { key: { fromEnv: NAME } }"],
    ["storage: { type: memory, options: { encryption: { key: abc } } }", "a secret is never written here"],
    ["storage: { type: memory, options: { codec: true } }", "expected the name of a codec such as json."],
    ["storage: { type: memory, options: { codec: jsn } }", 'there is no layer "jsn"; did you mean "json"?'],
    ["storage: { type: memory, options: { compression: lz4 } }", 'expected "zstd", "gzip" or "brotli", got "lz4"'],
    ["storage: { type: memory, options: { cache: { size: 0 } } }", "storage.options.cache.size: expected a whole number of at least 1."],
    ["storage: { type: memory, options: { cache: } }", "expected true, false or a group of options, got nothing."],
    ["storage: { type: memory }\nstorages: {}", 'a file has either "storages" or, in short, "storage", not both.'],
  ])("%s is refused by its own path", async (text, message) => {
    expect(await failure(text)).toContain(message);
  });
});

describe("what is wrong", () => {
  test("is shown all together, each by line, column and path, in the order of the file", async () => {
    const message = await failure(`storages:
  users:
    backend:
      memory: { maxEntris: 5 }
    layers:
      - retry: { attempts: 0, totalTimeout: 30, minDelay: soon }
      - compresed
      - json
      - encrypted: { keys: [{ id: a }, { secret: { fromEnv: MISSING_KEY } }] }
  files:
    layers: json
`);
    expect(message.split("\n")).toEqual(
      [
        "storage.yaml has 10 problems:",
        '  4:17 storages.users.backend.memory.maxEntris: there is no option "maxEntris"; did you mean "maxEntries"?',
        "  6:28 storages.users.layers[0].retry.attempts: expected a whole number of at least 1.",
        "  6:45 storages.users.layers[0].retry.totalTimeout: expected a duration with its unit, such as 500ms, 30s, 5m, 2h or 90d.",
        "  6:59 storages.users.layers[0].retry.minDelay: expected a duration such as 500ms, 30s, 5m, 2h or 90d.",
        '  7:9 storages.users.layers[1]: there is no layer "compresed"; did you mean "compressed"?',
        '  9:29 storages.users.layers[3].encrypted.keys[0]: the option "secret" is missing: a secret by reference, { fromEnv: NAME } or { fromFile: path }.',
        '  9:40 storages.users.layers[3].encrypted.keys[1]: the option "id" is missing: text.',
        "  9:61 storages.users.layers[3].encrypted.keys[1].secret.fromEnv: the environment variable MISSING_KEY is not set.",
        '  11:5 storages.files: the backend is missing: write "backend:" with a name such as file.',
        "  11:13 storages.files.layers: expected a list of layers, from the backend up, each after a dash; got text.",
      ].slice(0, 11),
    );
  });

  test("is there for programs too", async () => {
    const error = await parse("storages: { a: { backend: memry } }", { file: "my.yaml" }).catch((reason: unknown) => reason as ConfigError);
    expect(error).toMatchObject({
      code: "config",
      file: "my.yaml",
      retryable: false,
      problems: [{ line: 1, column: 27, path: "storages.a.backend", message: 'there is no backend "memry"; did you mean "memory"?' }],
    });
  });

  test.each<[string, string]>([
    ["", 'storage.yaml: the file is empty; it needs "storages:" with at least one storage.'],
    ["# only a comment", "the file is empty"],
    ["[]", 'expected "storages:" at the start of the file, got a list.'],
    ["storages", 'expected "storages:" at the start of the file, got text.'],
    ["storages:", "expected names of storages, each with a backend and layers; got nothing."],
    ["storages: {}", "expected names of storages, each with a backend and layers; got none."],
    ["storage:", "expected a storage with a type, got nothing."],
    ["storges: {}", 'there is no "storges" here; a file has "storages".'],
    ["storages: { a: { backend: memory } }\nversion: 1", '2:1 version: there is no "version" here'],
    ["storages: { 'a b': { backend: memory } }", "the name of a storage is letters, digits, dots, dashes and underscores"],
    ["storages: { a: memory }", "storages.a: expected a storage with a backend and layers, got text."],
    ["storages: { a: { backend: memory, layer: [] } }", 'there is no "layer" in a storage; did you mean "layers"?'],
    ["storages: { a: { backend: memory, ttl: 5m } }", 'there is no "ttl" in a storage; it has "backend" and "layers".'],
    [
      "storages: { a: { backend: { memory: {}, file: {} } } }",
      '"file" is a second name where one is expected; its options are indented further.',
    ],
    ["storages: { a: { backend: [memory] } }", "expected the name of a backend, or the name with its options; got a list."],
    ["storages: { a: { backend: { memory: 5 } } }", "expected a group of options, got a number."],
    ["storages: { a: { backend: json } }", '"json" is a codec; put it under "layers".'],
    ["storages: { a: { backend: memory, layers: [file] } }", '"file" is a backend; put it under "backend".'],
    ["storages: { a: { backend: nothingLikeIt } }", 'there is no backend "nothingLikeIt"; there are "azure", "memory", "file"'],
    ["storages: { a: { backend: memory, layers: [use: a] } }", 'there is no layer "use"'],
    ["storages: { a: { backend: memory, layers: [json, compressed] } }", '"compressed" works on bytes: put it below the codec "json".'],
    ["storages: { a: { backend: memory, layers: [json, text] } }", '"text" is a second codec above "json": keep one.'],
    [
      "storages: { a: { backend: { memory: { values: any } }, layers: [compressed] } }",
      '"compressed" works on bytes: put it below what turns them into values.',
    ],
    [
      "storages: { a: { backend: { memory: { values: any } }, layers: [json] } }",
      '"json" turns bytes into values, and what is below has values already: remove it.',
    ],
    ["storages: { a: { backend: { memory: { values: any, maxSize: 1MB } } } }", "storages.a.backend.memory.maxSize: maxSize needs sizeOf"],
    [
      "storages: { a: { backend: memory, layers: [{ retry: { minDelay: 10s } }] } }",
      "storages.a.layers[0].retry.minDelay: retry: maxDelay must be",
    ],
    [
      "storages: { a: { backend: memory, layers: [{ retry: { maxDelay: 1ms } }] } }",
      "storages.a.layers[0].retry.maxDelay: retry: maxDelay must be",
    ],
    [
      "storages: { a: { backend: memory, layers: [json, { limited: { maxSize: 1MB } }] } }",
      "storages.a.layers[1].limited.maxSize: maxSize needs a storage of bytes below",
    ],
    ["storages: { a: { backend: { azure: {} } } }", 'the option "container" is missing: three or more small letters.'],
    ["storages: { a: { backend: { azure: { container: X } } } }", 'expected three or more small letters, got "X".'],
    ["storages: { a: { backend: { azure: { container: 5 } } } }", "expected three or more small letters, got the number 5."],
    ["storages: { a: { backend: { azure: { container: abc, endpoints: [a, b, c] } } } }", "expected at most 2 in this list."],
    ["storages: { a: { backend: { azure: { container: abc, endpoints: a } } } }", 'expected a list, got "a".'],
    [
      "storages: { a: { backend: { azure: { container: abc, headers: { a: 1 } } } } }",
      "storages.a.backend.azure.headers.a: expected text, got the number 1.",
    ],
    ["storages: { a: { backend: { azure: { container: abc, headers: [] } } } }", "expected a group of names, got a list."],
    ["storages: { a: { backend: { azure: { container: abc, share: 1.5 } } } }", "expected a number from 0 to 1."],
    ["storages: { a: { backend: { azure: { container: abc, share: .inf } } } }", "expected a number from 0 to 1."],
    ["storages: { a: { backend: { azure: { container: abc, share: .nan } } } }", "expected a number from 0 to 1."],
    ["storages: { a: { backend: { azure: { container: abc, parts: 1.5 } } } }", "expected a whole number from 1 to 100."],
    ['storages: { a: { backend: { azure: { container: abc, parts: "5" } } } }', "expected a whole number, got text; remove the quotes."],
    ["storages: { a: { backend: { azure: { container: abc, parts: true } } } }", "expected a whole number, got true."],
    [
      "storages: { a: { backend: { azure: { container: abc, partSize: 4MB } } } }",
      "expected a size such as 4096, 64MB or 4KiB of at least 5MB.",
    ],
    [
      "storages: { a: { backend: { azure: { container: abc, lease: 2m } } } }",
      "expected a duration such as 500ms, 30s, 5m, 2h or 90d from 1s to 1m.",
    ],
    ["storages: { a: { backend: { azure: { container: abc, lease: 1.0001s } } } }", "expected a duration"],
    ["storages: { a: { backend: { azure: { container: abc, strict: yes } } } }", 'expected true or false, got "yes".'],
    ["storages: { a: { backend: { azure: { container: abc, strict: } } } }", "has no value: expected true or false."],
    ["storages: { a: { backend: { azure: { container: abc, folder: '' } } } }", 'expected a path, got "".'],
    ['storages: { a: { backend: { azure: { container: abc, folder: "a\\0b" } } } }', "expected a path"],
    ["storages: { a: { backend: { azure: { container: abc, budget: lots } } } }", 'expected a whole number, or true or false, got "lots".'],
    ["storages: { a: { backend: { azure: { container: abc, budget: 0 } } } }", "expected a whole number of at least 1."],
    ["storages: { a: { backend: { azure: { container: abc, journal: b } } } }", "expected a storage with a backend and layers, got text."],
    [
      "storages: { a: { backend: { file: { directory: x, layout: Tree } } } }",
      'expected "tree" or "encoded", got "Tree"; did you mean "tree"?',
    ],
  ])("%s is refused with one clear sentence", async (text, message) => {
    const shown = await failure(text);
    expect(shown).toContain(message);
    expect(shown.split("\n")).toHaveLength(1);
  });

  test("shows at most fifty problems and counts the rest", async () => {
    const many = Array.from({ length: 60 }, (_, index) => `  s${index}: { backend: nothingLikeIt }`).join("\n");
    const lines = (await failure(`storages:\n${many}\n`)).split("\n");
    expect(lines[0]).toBe("storage.yaml has 60 problems:");
    expect(lines).toHaveLength(52);
    expect(lines.at(-1)).toBe("  and 10 more");
  });

  test("plugins that are none, or twice the same, are invalid options", async () => {
    const bad = [{}, undefined, { kind: "layer" }, { ...keeperPlugin, name: "use" }, { ...keeperPlugin, name: "__proto__" }];
    for (const plugin of bad) {
      await expect(parse("", { plugins: [plugin as unknown as Plugin] })).rejects.toMatchObject({ code: "invalid-option" });
    }
    await expect(parse("", { plugins: [keeperPlugin, keeperPlugin] })).rejects.toThrow('plugins has "keeper" twice');
  });
});

describe("files", () => {
  const load = async (file: string | URL): Promise<string> =>
    await loadStorages(file).then(
      () => "",
      (error: unknown) => (StorageError.is(error, "config") ? error.message : `not a config error: ${String(error)}`),
    );

  test("are loaded by path and by URL, and paths in them are relative to them", async () => {
    const at = await freshFolder();
    await writeFile(join(at, "storage.yaml"), "\uFEFFstorages:\r\n  a:\r\n    backend:\r\n      file: { directory: ./data }\r\n");
    for (const file of [join(at, "storage.yaml"), pathToFileURL(join(at, "storage.yaml"))]) {
      const storages = await loadStorages(file);
      expect(storages.bytes("a").details().options["directory"]).toBe(join(at, "data"));
      await storages.close();
    }
  });

  test("that cannot be read are refused with one clear sentence", async () => {
    const at = await freshFolder();
    await writeFile(join(at, "latin1.yaml"), Buffer.from("storages: { ä: 1 }", "latin1"));
    await writeFile(join(at, "large.yaml"), `#${" ".repeat(64 * 1024)}`);
    await writeFile(join(at, "empty.yaml"), "");
    expect(await load(join(at, "missing.yaml"))).toBe(`${join(at, "missing.yaml")}: the storage file could not be found.`);
    expect(await load(join(at, "empty.yaml", "x"))).toContain("the storage file could not be found.");
    expect(await load(at)).toBe(`${at}: the storage file is a folder, not a file.`);
    expect(await load("/dev/zero")).toBe("/dev/zero: the storage file is not a regular file.");
    expect(await load(join(at, "latin1.yaml"))).toContain("the storage file is not UTF-8 text.");
    expect(await load(join(at, "large.yaml"))).toContain("the storage file is too large: it may have 64 KiB at the most.");
    expect(await load(join(at, "empty.yaml"))).toContain("the file is empty");
    expect(await load("a\0b")).toContain("the storage file could not be opened");
  });
});

describe("secrets", () => {
  const encrypted = (secret: string): string =>
    `storages: { a: { backend: memory, layers: [{ encrypted: { keys: [{ id: x, secret: ${secret} }] } }] } }`;
  const bytes = new Uint8Array(32).map((_, index) => index * 5);
  const forms: [string, string][] = [
    ["base64", Buffer.from(bytes).toString("base64")],
    ["base64 without padding", Buffer.from(bytes).toString("base64").replace("=", "")],
    ["base64url", Buffer.from(bytes).toString("base64url")],
    ["hex", Buffer.from(bytes).toString("hex")],
    ["hex in capitals", Buffer.from(bytes).toString("hex").toUpperCase()],
  ];

  test.each(forms)("a key may be %s", async (_, text) => {
    const storages = await parse(encrypted("{ fromEnv: USERS_KEY }"), { env: { USERS_KEY: text } });
    expect(findLayer(storages.bytes("a"), FakeEncrypted)?.keys).toEqual([{ id: "x", secret: bytes }]);
  });

  test.each([
    ["too short", Buffer.alloc(31).toString("base64")],
    ["too long", Buffer.alloc(33).toString("base64")],
    ["hex of another length", "ab".repeat(31)],
    ["with a newline", `${Buffer.alloc(32).toString("base64")}\n`],
    ["a word", "correct horse battery staple"],
  ])("a key that is %s is refused without being shown", async (_, text) => {
    const message = await failure(encrypted("{ fromEnv: USERS_KEY }"), { env: { USERS_KEY: text } });
    expect(message).toContain("layers[0].encrypted.keys[0].secret.fromEnv: a key must be base64 or hex of exactly 32 bytes");
    expect(message).not.toContain(text.trim());
  });

  test("come from files beside the storage file, without one newline at their end", async () => {
    const directory = await freshFolder();
    for (const ending of ["", "\n", "\r\n"]) {
      await writeFile(join(directory, "key"), `${key}${ending}`);
      const storages = await parse(encrypted("{ fromFile: ./key }"), { directory });
      expect(findLayer(storages.bytes("a"), FakeEncrypted)?.keys[0]?.secret).toEqual(new Uint8Array(32).fill(7));
    }
    await writeFile(join(directory, "key"), `${key}\n\n`);
    expect(await failure(encrypted("{ fromFile: ./key }"), { directory })).toContain("a key must be base64 or hex");
    await writeFile(join(directory, "key"), "\n");
    expect(await failure(encrypted("{ fromFile: ./key }"), { directory })).toContain("the file of this secret is empty.");
    expect(await failure(encrypted("{ fromFile: ./nowhere }"), { directory })).toContain("the file of this secret could not be found.");
    expect(await failure(encrypted("{ fromFile: . }"), { directory })).toContain("the file of this secret is a folder, not a file.");
  });

  test.each([
    ["a literal", "canary"],
    ["a literal number", "4815162342"],
    ["a list", "[canary]"],
    ["an unknown source", "{ fromVault: canary }"],
    ["two sources", "{ fromEnv: canary, fromFile: canary }"],
    ["a variable that is not set", "{ fromEnv: canary }"],
    ["a variable with a long name", "{ fromEnv: CANARY4815162342 }"],
    ["a variable that every object has", "{ fromEnv: constructor }"],
    ["no name", "{ fromEnv: '' }"],
    ["nothing", "{}"],
    ["no value", ""],
  ])("%s in the place of a reference is refused without being shown", async (_, secret) => {
    const message = await failure(encrypted(secret));
    expect(message).toMatch(/secret/);
    expect(message).not.toMatch(/canary|4815162342/i);
  });

  test("a literal in the place of a list of keys is not shown either", async () => {
    const message = await failure("storages: { a: { backend: memory, layers: [{ encrypted: { keys: canary } }] } }");
    expect(message).toContain("keys: expected a list, got text.");
    expect(message).not.toContain("canary");
  });

  test("that a factory quotes in its refusal are taken out", async () => {
    const text = "storages: { a: { backend: { azure: { container: abc, password: { fromEnv: PASS_WORD } } } } }";
    const message = await failure(text, { env: { PASS_WORD: "bad-canary" } });
    expect(message).toContain("storages.a.backend.azure.password: azure: password (secret) is not accepted.");
    expect(message).not.toContain("canary");
  });
});

describe("storages in storages", () => {
  test("share what they use, and each is closed once, the users of a storage before it", async () => {
    const closed: string[] = [];
    const shelf = definePlugin({
      kind: "layer",
      name: "shelf",
      description: "Tells when it is closed.",
      takes: "any",
      options: { store: option.storage("Where else.") },
      make:
        (options, { storage }) =>
        (inner: AnyStorage) =>
          new FakeLayer(
            inner,
            "shelf",
            { label: storage },
            Object.values(options).filter((store) => store !== undefined),
            closed,
          ),
    });
    const storages = await parse(
      `storages:
  top: { backend: { use: middle }, layers: [shelf: { store: { backend: memory, layers: [shelf] } }] }
  other: { backend: { use: base }, layers: [shelf: { store: { use: base } }] }
  middle: { backend: { use: base }, layers: [shelf] }
  base: { backend: memory, layers: [shelf] }
`,
      { plugins: [shelf] },
    );
    await storages.bytes("top").put("a", new Uint8Array([1]));
    expect(await storages.bytes("base").get("a")).toEqual(new Uint8Array([1]));
    expect(await storages.bytes("other").get("a")).toEqual(new Uint8Array([1]));
    await Promise.all([storages.close(), storages.close()]);
    await storages.close();
    expect(closed).toEqual(["shelf other", "shelf top", "shelf top", "shelf middle", "shelf base"]);
    await expect(storages.bytes("base").get("a")).rejects.toMatchObject({ code: "closed" });
  });

  test("all are closed even where one fails, and the first error is told", async () => {
    const failing = definePlugin({
      kind: "backend",
      name: "failing",
      description: "Cannot be closed.",
      gives: "bytes",
      options: {},
      make: (_, { storage }) =>
        Object.assign(memoryStorage(), {
          close: () => (tried.push(storage), Promise.reject(new StorageError("unavailable", `${storage} cannot be closed.`))),
        }),
    });
    const tried: string[] = [];
    const storages = await parse("storages: { a: { backend: failing }, b: { backend: memory }, c: { backend: failing } }", {
      plugins: [failing],
    });
    await expect(storages[Symbol.asyncDispose]()).rejects.toThrow("c cannot be closed.");
    expect(tried).toEqual(["c", "a"]);
    await expect(storages.bytes("b").get("x")).rejects.toMatchObject({ code: "closed" });
  });

  test.each<[string, string]>([
    ["storages: { a: { backend: { use: a } } }", '1:34 storages.a.backend.use: a storage cannot stand on itself: "a" uses "a".'],
    ["storages: { a: { backend: { use: b } }, b: { backend: { use: c } }, c: { backend: { use: a } } }", '"a" uses "b" uses "c" uses "a".'],
    ["storages: { a: { backend: memory, layers: [keeper: { store: { use: a } }] } }", '"a" uses "a".'],
    ["storages: { a: { backend: { use: } } }", "expected the name of a storage of this file, got nothing."],
    ["storages: { a: { backend: { use: [b] } } }", "expected the name of a storage of this file, got a list."],
    ["storages: { users: { backend: { use: usres } } }", 'there is no storage "usres"; did you mean "users"?'],
    [
      "storages: { a: { backend: { azure: { container: abc, journal: { use: b } } } }, b: { backend: memory, layers: [json] } }",
      "azure.journal: expected a storage of bytes; this one holds values.",
    ],
    [
      "storages: { a: { backend: { use: b }, layers: [compressed] }, b: { backend: memory, layers: [json] } }",
      '"compressed" works on bytes',
    ],
  ])("%s is refused", async (text, message) => {
    const shown = await failure(text);
    expect(shown).toContain(message);
    expect(shown.split("\n")).toHaveLength(1);
  });

  test("stand on one another eight deep at the most", async () => {
    const chain = (length: number): string =>
      `storages: { s1: { backend: memory }, ${Array.from({ length: length - 1 }, (_, index) => `s${index + 2}: { backend: { use: s${index + 1} } }`).join(", ")} }`;
    await expect(parse(chain(8))).resolves.toBeDefined();
    expect(await failure(chain(9))).toContain("storages may use one another 8 deep at the most.");
  });

  test("what was made is closed again when something is wrong with another", async () => {
    const closed: string[] = [];
    const shelf = definePlugin({
      kind: "layer",
      name: "shelf",
      description: "Tells when it is closed.",
      takes: "any",
      options: {},
      make:
        (_, { storage }) =>
        (inner: AnyStorage) =>
          new FakeLayer(inner, "shelf", { label: storage }, [], closed),
    });
    const text = "storages: { a: { backend: memory, layers: [shelf] }, b: { backend: memory, layers: [shelf, retry: { maxDelay: 1ms }] } }";
    expect(await failure(text, { plugins: [shelf] })).toContain("maxDelay must be");
    expect(closed).toEqual(["shelf b", "shelf a"]);
  });
});

describe("what is loaded", () => {
  const short: {
    readonly "~standard": {
      readonly version: 1;
      readonly vendor: string;
      validate(value: unknown): { value: string } | { issues: { message: string }[] };
    };
  } = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) =>
        typeof value === "string" && value.length < 5 ? { value: value.trim() } : { issues: [{ message: "too long" }] },
    },
  };

  test("is taken by name and kind, and a wrong one says what to do", async () => {
    const storages = await parse("storages: { users: { backend: memory, layers: [json] }, files: { backend: memory } }");
    expect(() => storages.get("user")).toThrow('there is no storage "user"; did you mean "users"?');
    expect(() => storages.bytes("nothingLikeIt")).toThrow('there is no storage "nothingLikeIt"; there are "users" or "files".');
    expect(() => storages.get("files")).toThrow('holds bytes: take it with bytes("files")');
    expect(() => storages.bytes("users")).toThrow('holds values: take it with get("users")');
    expect(() => storages.explain("x")).toThrow(StorageError);
    expect(storages.explain("files")).toContain("memory");
    expect(storages.explain()).toMatch(/^users\n[^]*json[^]*\n\nfiles\n/);
  });

  test("checks values by a schema on the way in and on the way out", async () => {
    const storages = await parse("storages: { words: { backend: memory, layers: [json] } }");
    const words = storages.get("words", short);
    expect(storages.get("words", short)).toBe(words);
    await words.put("a", " b ");
    expect(await words.get("a")).toBe("b");
    expect(await storages.get("words").get("a")).toBe(" b ");
    await expect(words.put("c", "much too long")).rejects.toMatchObject({ code: "invalid-value" });
    await storages.get("words").put("d", "much too long");
    await expect(words.get("d")).rejects.toMatchObject({ code: "corrupt" });
    expect(() => storages.get("words", {} as never)).toThrow("Standard Schema");
  });

  test("checks the form that JSON keeps, so that what is put can be got, from a cache too", async () => {
    const storages = await parse("storages: { days: { backend: memory, layers: [json, cached] } }");
    const isText: StandardSchema<unknown, unknown> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => (typeof value === "string" ? { value } : { issues: [{ message: "no text" }] }),
      },
    };
    const days = storages.get("days", isText);
    await days.put("a", new Date(0));
    expect(await days.get("a")).toBe("1970-01-01T00:00:00.000Z");
    await expect(days.put("b", Number.NaN)).rejects.toMatchObject({ code: "invalid-value", operation: "put", key: "b" });
    await expect(days.put("b", new Map())).rejects.toThrow("JSON cannot hold this value: it is a Map.");
    expect(await days.has("b")).toBe(false);
  });

  test("a schema that answers later or fails is waited for and told of", async () => {
    const storages = await parse("storages: { words: { backend: { memory: { values: any } } } }");
    const later = storages.get<string>("words", {
      "~standard": { ...short["~standard"], validate: (value) => Promise.resolve(short["~standard"].validate(value)) },
    });
    await later.put("a", "b");
    expect(await later.get("a")).toBe("b");
    await expect(later.put("a", "much too long")).rejects.toMatchObject({ code: "invalid-value" });
    const failing = {
      "~standard": {
        ...short["~standard"],
        validate: () => {
          throw new Error("oops");
        },
      },
    };
    await expect(storages.get("words", failing).get("a")).rejects.toMatchObject({ code: "internal" });
    const rejecting = { "~standard": { ...short["~standard"], validate: () => Promise.reject(new Error("oops")) } };
    await expect(storages.get("words", rejecting).get("a")).rejects.toMatchObject({ code: "internal" });
  });

  test("plugins stand in for official packages of the same name", async () => {
    const storages = await parse("storages: { a: { backend: memory, layers: [retry] } }", { plugins: [fakePlugin("retry")] });
    expect(storages.bytes("a")).toBeInstanceOf(FakeLayer);
  });
});
