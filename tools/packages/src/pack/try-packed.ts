import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import type { Package } from "../package.ts";
import { run } from "../run.ts";
import type { Consumer } from "./consumer.ts";
import { copyUse, install, lend, typeProblems } from "./consumer.ts";
import { importTime } from "./import-time.ts";
import type { Tarball } from "./tarballs.ts";
import { makeTarballs, neededBy } from "./tarballs.ts";

/** Bytes of a package without its dependencies, once it is installed. */
const largest: Readonly<Record<string, number>> = { testing: 600 * 1024 };
const largestOfOthers = 0.3 * 1024 * 1024;

/** Milliseconds that importing core may take beyond an empty module. */
const slowestImport = 5;

/** Packs every package, looks at the tarballs, installs each alone in an empty project and uses it there. */
export async function tryPacked(root: string, packages: readonly Package[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-pack-"));
  try {
    const tarballs = await makeTarballs(root, packages, folder);
    const problems = await Promise.all(tarballs.map((tarball) => tryTarball(root, join(folder, tarball.subject.word), tarball, tarballs)));
    const duration = await importTime(join(folder, "core"), "@stowage/core", slowestImport);
    console.log(`importing @stowage/core takes ${duration.toFixed(1)} ms`);
    if (duration > slowestImport) problems.push([`Importing @stowage/core takes ${duration.toFixed(1)} ms; it may take ${slowestImport}.`]);
    return problems.flat();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function tryTarball(root: string, folder: string, tarball: Tarball, all: readonly Tarball[]): Promise<string[]> {
  const { word } = tarball.subject;
  const consumer = await install(root, folder, [tarball, ...neededBy(tarball, all)]);
  await lend(consumer, "@types/node", root);
  const steps = { size, published, declared, imported, used, typed };
  const problems = Object.values(steps).map(async (step) => {
    try {
      return await step(tarball, consumer);
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  });
  return (await Promise.all(problems)).flat().map((problem) => `@stowage/${word}: ${problem}`);
}

type Step = (tarball: Tarball, consumer: Consumer) => Promise<string[]>;

/** How much is installed. */
const size: Step = async ({ subject: { word } }, { folder }) => {
  const path = join(folder, "node_modules/@stowage", word);
  const files = await readdir(path, { withFileTypes: true, recursive: true });
  const sizes = await Promise.all(files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name))));
  const bytes = sizes.reduce((sum, { size: each }) => sum + each, 0);
  const limit = largest[word] ?? largestOfOthers;
  console.log(`@stowage/${word} is ${Math.ceil(bytes / 1024)} KiB`);
  return bytes > limit ? [`It has ${bytes} bytes installed; it may have ${limit}.`] : [];
};

/** What publint finds. */
const published: Step = async ({ path }) => {
  const tarball = new Uint8Array(await readFile(path)).buffer;
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
};

/** What "are the types wrong" finds. */
const declared: Step = async ({ path }, { folder, root }) => {
  const program = join(root, "tools/packages/node_modules/@arethetypeswrong/cli/dist/index.js");
  await run(process.execPath, [program, path, "--profile", "esm-only", "--no-color", "--no-emoji"], { folder });
  return [];
};

/** Every entry can be imported and required, on every Node that is here, and both give the same. */
const imported: Step = async ({ subject }, consumer) => {
  const entries = Object.keys(subject.manifest.exports ?? {}).map((entry) => `@stowage/${subject.word}${entry.slice(1)}`);
  if (entries.includes("@stowage/testing/contract")) await lendRunner(consumer);
  const program = await copyUse(consumer, "both-ways.ts");
  await onEveryNode(consumer, [program, ...entries]);
  return [];
};

/** The package does its work for a program outside the workspace. */
const used: Step = async ({ subject: { word } }, consumer) => {
  await onEveryNode(consumer, [await copyUse(consumer, `${word}.ts`)]);
  if (word === "testing") {
    await copyUse(consumer, "contract.ts", "contract.test.ts");
    await run(process.execPath, [join(consumer.root, "node_modules/vitest/vitest.mjs"), "run"], consumer);
  }
  return [];
};

/** The same program compiles, and so do all declarations of the package. */
const typed: Step = async ({ subject: { word } }, consumer) => {
  const program = `typed-${word}.ts`;
  await copyUse(consumer, `${word}.ts`, program);
  return typeProblems(consumer, program, { lib: ["ES2024", "ESNext.Disposable"], types: ["node"] });
};

async function lendRunner(consumer: Consumer): Promise<void> {
  await lend(consumer, "vitest", consumer.root);
  await lend(consumer, "fast-check", join(consumer.root, "packages/testing"));
}

/** This Node, and those of tools/node-matrix where they are installed. */
async function onEveryNode({ folder, root }: Consumer, parameters: readonly string[]): Promise<void> {
  const others = ["node22", "node26"].map((name) => join(root, "tools/node-matrix/node_modules", name, "bin/node"));
  for (const node of [process.execPath, ...others.filter((path) => existsSync(path))]) await run(node, parameters, { folder });
}
