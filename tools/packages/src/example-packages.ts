import type { Kind, Manifest, Package } from "./package.ts";
import { buildScript } from "./rules/metadata.ts";

/** A package for tests: its manifest, and the texts of its files. */
export interface ExamplePackage {
  readonly word: string;
  readonly kind: Kind;
  readonly manifest: Manifest;
  readonly texts: Readonly<Record<string, string>>;
}

/** Packages that keep every rule: what a rule must find is then one change away. */
export function examplePackages(): Record<"core" | "memory" | "testing" | "folder" | "slow", ExamplePackage> {
  const workspace = "workspace:^";
  return {
    core: example("core", "core", { texts: { "README.md": shortReadme("core") } }),
    memory: example("memory", "backend", { dependencies: { "@stowage/core": workspace } }),
    testing: example("testing", "testing", {
      entries: ["index", "contract"],
      dependencies: { "@stowage/core": workspace, "@stowage/memory": workspace },
      texts: {
        "README.md": shortReadme("testing"),
        "src/runs.test.ts": `
          describeStorage("memory", { create: () => memoryStorage() });
          describeLayer("small", prefixed(), readOnly(), limited(), borrowed());
          describeCodec("codecs", json(), text());`,
      },
    }),
    folder: example("folder", "backend", {
      dependencies: { "@stowage/core": workspace },
      devDependencies: { "@stowage/testing": workspace },
      texts: { "src/folder.test.ts": "describeStorage();" },
    }),
    slow: example("slow", "layer", {
      dependencies: { "@stowage/core": workspace, "p-slow": "1.0.0" },
      devDependencies: { "@stowage/folder": workspace, "@stowage/testing": workspace },
      texts: { "src/slow.test.ts": "describeLayer();" },
    }),
  };
}

/** What the rules read. */
export function asPackages(examples: Readonly<Record<string, ExamplePackage>>): Package[] {
  return Object.values(examples).map(({ word, kind, manifest, texts }) => ({
    word,
    kind,
    folder: word,
    manifest,
    files: Object.keys(texts),
    read: (file) => texts[file] ?? "",
  }));
}

interface Parts {
  readonly entries?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly texts?: Readonly<Record<string, string>>;
}

function example(word: string, kind: Kind, parts: Parts): ExamplePackage {
  const entries = parts.entries ?? (kind === "core" ? ["index"] : ["index", "plugin"]);
  const factory = kind === "backend" ? `${word}Storage` : word;
  return {
    word,
    kind,
    manifest: manifestOf(word, entries, parts),
    texts: {
      "package.json": "",
      "tsconfig.build.json": `{ "files": [${entries.map((entry) => `"src/${entry}.ts"`).join(", ")}] }`,
      "README.md": readme(word),
      "src/index.ts": `export { ${factory} } from "./${word}.ts";\n`,
      [`src/${word}.ts`]: `export function ${factory}() {}\n`,
      "src/plugin.ts": `export const plugins = [\n  {\n    name: "${word}",\n  },\n];\n`,
      "src/contract.ts": "",
      ...parts.texts,
    },
  };
}

function manifestOf(word: string, entries: readonly string[], { dependencies, devDependencies }: Parts): Manifest {
  const paths = entries.map((entry) => [entry === "index" ? "." : `./${entry}`, entry] as const);
  const built = (entry: string): Record<string, string> => ({ types: `./dist/${entry}.d.ts`, default: `./dist/${entry}.js` });
  const itself = { "./package.json": "./package.json" };
  return {
    name: `@stowage/${word}`,
    version: "1.0.0",
    description: "A package.",
    keywords: ["storage", "stowage"],
    license: "MIT",
    files: ["dist", "!dist/**/*.map"],
    type: "module",
    sideEffects: false,
    exports: {
      ...Object.fromEntries(paths.map(([path, entry]) => [path, { "@stowage/source": `./src/${entry}.ts`, ...built(entry) }])),
      ...itself,
    },
    publishConfig: { exports: { ...Object.fromEntries(paths.map(([path, entry]) => [path, built(entry)])), ...itself }, access: "public" },
    scripts: { build: buildScript(entries.map((entry) => `src/${entry}.ts`)) },
    ...(dependencies && { dependencies }),
    ...(devDependencies && { devDependencies }),
    engines: { node: ">=22.19" },
  };
}

function shortReadme(word: string): string {
  return `# @stowage/${word}\n\nIt does one thing.\n\n## Install\n\nnpm install @stowage/${word}\n\n## Use\n\n\`\`\`ts\n\`\`\`\n`;
}

function readme(word: string): string {
  return `${shortReadme(word)}
## Options

| option | meaning |
| --- | --- |

## Place in the stack

## Promises
${"\n- A promise.".repeat(20)}

## Errors

| code | when |
| --- | --- |
`;
}
