import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../run.ts";
import type { Tarball } from "./tarballs.ts";

/** An empty project with nothing in it but tarballs, and what these depend on. */
export interface Consumer {
  readonly folder: string;
  readonly root: string;
}

/** Installs tarballs into an empty project with npm. */
export async function install(root: string, folder: string, tarballs: readonly Tarball[]): Promise<Consumer> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "consumer", version: "1.0.0", private: true, type: "module" }));
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  await run("npm", ["install", ...quiet, ...tarballs.map(({ path }) => path)], { folder });
  return { folder, root };
}

/** Lends a package of the workspace to a project: what a test runner's user, or a browser's, has installed anyway. */
export async function lend({ folder }: Consumer, name: string, from: string): Promise<void> {
  const link = join(folder, "node_modules", name);
  await mkdir(join(link, ".."), { recursive: true });
  await symlink(join(from, "node_modules", name), link, "dir");
}

/** Copies a program from `uses` into a project, so that it finds the packages as any program there does. */
export async function copyUse({ folder }: Consumer, use: string, as: string = use): Promise<string> {
  const path = join(folder, as);
  await cp(fileURLToPath(new URL(`../uses/${use}`, import.meta.url)), path);
  return path;
}

/** What the compiler finds in a program of a project and in the declarations of our packages. */
export async function typeProblems({ folder, root }: Consumer, program: string, settings: object): Promise<string[]> {
  const compilerOptions = {
    target: "ES2024",
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    ...settings,
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [program] }));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const output = await run(process.execPath, [compiler, "--pretty", "false", "-p", "tsconfig.json"], { folder }).catch(String);
  return output.split("\n").filter((line) => line.startsWith(program) || line.startsWith("node_modules/@stowage/"));
}
