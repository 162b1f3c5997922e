import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { check } from "./check.ts";
import type { ExamplePackage } from "./example-packages.ts";
import { asPackages, examplePackages } from "./example-packages.ts";
import type { Manifest } from "./package.ts";
import { readPackages } from "./package.ts";

type Word = keyof ReturnType<typeof examplePackages>;

describe("the packages of this workspace", () => {
  test.each(readPackages(fileURLToPath(new URL("../../..", import.meta.url))).map((subject, _, all) => ({ ...subject, all })))(
    "$folder is like its neighbours",
    ({ folder, all }) => {
      expect(check(all).filter((problem) => problem.startsWith(`${folder}:`))).toEqual([]);
    },
  );
});

describe("the checker", () => {
  test("finds nothing in packages that keep every rule", () => {
    expect(check(asPackages(examplePackages()))).toEqual([]);
  });

  test.each<[string, Word, Partial<Manifest>, string]>([
    ["a name that is not the folder's", "slow", { name: "@stowage/slower" }, 'name must be "@stowage/slow"'],
    ["a version of its own", "slow", { version: "2.0.0" }, 'version must be "1.0.0"'],
    ["another licence", "slow", { license: "ISC" }, 'license must be "MIT"'],
    ["a package that is not a module", "slow", { type: "commonjs" }, 'type must be "module"'],
    ["side effects", "slow", { sideEffects: true }, "sideEffects must be false"],
    ["other files in the tarball", "slow", { files: ["src"] }, "files must be"],
    ["another range of Nodes", "slow", { engines: { node: ">=20" } }, "engines must be"],
    ["another way to build", "slow", { scripts: { build: "tsup" } }, "scripts must be"],
    ["a description that is no sentence", "slow", { description: "slow layer" }, "description must be a sentence"],
    ["a missing keyword", "slow", { keywords: ["stowage"] }, 'keywords must hold "storage"'],
    [
      "an entry that the published list lacks",
      "slow",
      { publishConfig: { access: "public", exports: {} } },
      "publishConfig.exports must be exports",
    ],
    ["a package that cannot be published", "slow", { publishConfig: {} }, 'publishConfig.access must be "public"'],
    ["an entry that is missing", "slow", { exports: {}, publishConfig: { access: "public", exports: {} } }, '"./plugin" is missing'],
    [
      "an entry without a source",
      "slow",
      { exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } } },
      'has no "@stowage/source"',
    ],
    ["a dependency of core", "core", { dependencies: { lodash: "4.0.0" } }, "may depend on 0 beyond nothing, not on lodash"],
    [
      "core depending on what stands on it",
      "core",
      { devDependencies: { "@stowage/testing": "workspace:^" } },
      "core stands below testing",
    ],
    [
      "memory depending on what stands on it",
      "memory",
      { devDependencies: { "@stowage/testing": "workspace:^" } },
      "memory stands below testing",
    ],
    [
      "a second dependency of a layer",
      "slow",
      { dependencies: { "@stowage/core": "workspace:^", one: "1.0.0", two: "1.0.0" } },
      "may depend on 1 beyond @stowage/core",
    ],
    [
      "a layer that brings a backend along",
      "slow",
      { dependencies: { "@stowage/folder": "workspace:^" } },
      "must not depend on @stowage/folder",
    ],
    ["a dependency on config", "slow", { devDependencies: { "@stowage/config": "workspace:^" } }, "Nothing depends on config"],
    ["a package that is not there", "slow", { devDependencies: { "@stowage/fast": "workspace:^" } }, "@stowage/fast is no package"],
    ["a fixed version of a neighbour", "slow", { dependencies: { "@stowage/core": "1.0.0" } }, 'must be "workspace:^"'],
    [
      "packages that need each other",
      "folder",
      { devDependencies: { "@stowage/slow": "workspace:^" } },
      "The dependencies go round: folder -> slow -> folder",
    ],
  ])("finds %s", (_, word, change, problem) => {
    expect(problemsWith(word, { manifest: change })).toContainEqual(expect.stringContaining(problem));
  });

  test("finds fields in another order", () => {
    const { license, ...others } = examplePackages().slow.manifest;
    const examples = examplePackages();
    examples.slow = { ...examples.slow, manifest: { ...others, license } as Manifest };
    expect(check(asPackages(examples))).toEqual([expect.stringContaining("the fields must be, in this order: name, version, description")]);
  });

  test.each<[string, Word, string, string | undefined, string]>([
    ["a source that is not there", "slow", "src/plugin.ts", undefined, "leads to src/plugin.ts, which is not there"],
    [
      "a missing configuration of the build",
      "slow",
      "tsconfig.build.json",
      undefined,
      "tsconfig.build.json must have the files src/index.ts, src/plugin.ts",
    ],
    [
      "an index that does something",
      "slow",
      "src/index.ts",
      'import "./slow.ts";\nexport * from "./slow.ts";\n',
      "re-exports and nothing else",
    ],
    ["an empty index", "slow", "src/index.ts", "export {};\n", "re-exports and nothing else"],
    ["a missing main file", "slow", "src/slow.ts", undefined, "src/slow.ts, named after the subject"],
    ["a layer whose factory has another name", "slow", "src/slow.ts", "export function slowed() {}\n", "must export the factory slow()"],
    [
      "a backend whose factory has another name",
      "folder",
      "src/folder.ts",
      "export function folder() {}\n",
      "must export the factory folderStorage()",
    ],
    ["a plugin of another name", "slow", "src/plugin.ts", 'name: "slowly",', 'must define a plugin named "slow"'],
    ["a backend that does not run the contract", "folder", "src/folder.test.ts", "describeLayer();", "No test calls describeStorage"],
    ["a layer that does not run the contract", "slow", "src/slow.test.ts", undefined, "No test calls describeLayer"],
    ["a codec that is not tested as one", "slow", "src/plugin.ts", '    name: "slow",\n    kind: "codec",', "No test calls describeCodec"],
    [
      "a combiner that is not tested as a storage",
      "slow",
      "src/plugin.ts",
      '    name: "slow",\n    kind: "backend",',
      "No test calls describeStorage",
    ],
    ["memory without a run of the contract", "testing", "src/runs.test.ts", "", "No test calls describeStorage on memoryStorage"],
    [
      "a small layer without a run of the contract",
      "testing",
      "src/runs.test.ts",
      "describeLayer(prefixed());",
      "No test calls describeLayer on borrowed",
    ],
    [
      "a codec of core that is not tested as one",
      "testing",
      "src/runs.test.ts",
      "describeCodec(json());",
      "No test calls describeCodec on text",
    ],
    ["a missing README", "slow", "README.md", undefined, "README.md is missing"],
    ["a README under another name", "slow", "README.md", examplePackages().folder.texts["README.md"], 'must begin with "# @stowage/slow"'],
    ["a README of a few lines", "slow", "README.md", "# @stowage/slow\n", "README.md has 1 lines"],
    [
      "a README of many lines",
      "slow",
      "README.md",
      (examplePackages().slow.texts["README.md"] ?? "") + "\n".repeat(80) + "end\n",
      "it must have 40 to 100",
    ],
    ["a README without a section", "slow", "README.md", changed("## Promises", "## Features"), "must have the sections, in this order"],
    ["a README without a first sentence", "slow", "README.md", changed("It does one thing.", "fast!!!"), "in its first sentence"],
    ["a README without an example", "slow", "README.md", changed("```ts", "```"), "must show an example"],
    ["a README that does not say how to install", "slow", "README.md", changed("npm install", "see"), "how to install"],
    ["a README without options", "slow", "README.md", changed("| option ", "| what "), "a table of options"],
    ["a README without errors", "slow", "README.md", changed("| code |", "| name |"), "a table of errors"],
  ])("finds %s", (_, word, file, text, problem) => {
    expect(problemsWith(word, { texts: { [file]: text } })).toContainEqual(expect.stringContaining(problem));
  });
});

function problemsWith(
  word: Word,
  { manifest = {}, texts = {} }: { manifest?: Partial<Manifest>; texts?: Readonly<Record<string, string | undefined>> },
): string[] {
  const examples = examplePackages();
  const all = Object.entries({ ...examples[word].texts, ...texts });
  const present = Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
  const subject: ExamplePackage = { ...examples[word], manifest: { ...examples[word].manifest, ...manifest }, texts: present };
  return check(asPackages({ ...examples, [word]: subject }));
}

function changed(from: string, to: string): string {
  return (examplePackages().slow.texts["README.md"] ?? "").replaceAll(from, to);
}
