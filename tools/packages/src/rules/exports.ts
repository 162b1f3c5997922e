import { isDeepStrictEqual } from "node:util";
import type { Exports } from "../package.ts";
import type { Rule } from "./rule.ts";

const source = "@stowage/source";

/** Every entry leads to a file that is there, in sources and in what is built from them, and both lists say the same. */
export const exportedEntries: Rule = ({ kind, manifest, files }) => {
  const problems: string[] = [];
  const entries = manifest.exports ?? {};
  for (const [name, entry] of Object.entries(entries)) {
    if (typeof entry === "string") {
      if (name !== entry || !files.includes(entry.slice(2))) problems.push(`exports: "${name}" leads to "${entry}", which is not there.`);
    } else problems.push(...problemsOf(name, entry, files));
  }
  for (const name of required[kind]) if (entries[name] === undefined) problems.push(`exports: "${name}" is missing.`);
  if (!isDeepStrictEqual(manifest.publishConfig?.exports, withoutSources(entries)))
    problems.push(`publishConfig.exports must be exports without the condition ${source}.`);
  return problems;
};

const required = {
  core: [".", "./package.json"],
  testing: [".", "./contract", "./package.json"],
  config: [".", "./package.json"],
  backend: [".", "./plugin", "./package.json"],
  layer: [".", "./plugin", "./package.json"],
};

/** A branch of conditions names its source, and then what the compiler makes of it; conditions such as `browser` come first. */
function problemsOf(name: string, branch: Readonly<Record<string, Exports>>, files: readonly string[]): string[] {
  const { [source]: from, types, default: code, ...others } = branch;
  const problems = Object.entries(others).flatMap(([condition, inner]) =>
    typeof inner === "string"
      ? [`exports: "${name}" must name source, types and code under "${condition}".`]
      : problemsOf(`${name} (${condition})`, inner, files),
  );
  const path = typeof from === "string" ? /^\.\/src\/(.+)\.ts$/.exec(from)?.[1] : undefined;
  if (path === undefined) return [...problems, `exports: "${name}" has no "${source}" of the form ./src/name.ts.`];
  if (!files.includes(`src/${path}.ts`)) problems.push(`exports: "${name}" leads to src/${path}.ts, which is not there.`);
  if (types !== `./dist/${path}.d.ts` || code !== `./dist/${path}.js`)
    problems.push(`exports: "${name}" must have the types ./dist/${path}.d.ts and the default ./dist/${path}.js.`);
  if (!isDeepStrictEqual(Object.keys(branch), [...Object.keys(others), source, "types", "default"]))
    problems.push(`exports: "${name}" must list its conditions in the order: special ones, ${source}, types, default.`);
  return problems;
}

function withoutSources(exports: Readonly<Record<string, Exports>>): Record<string, Exports> {
  const kept = Object.entries(exports).filter(([condition]) => condition !== source);
  return Object.fromEntries(kept.map(([condition, inner]) => [condition, typeof inner === "string" ? inner : withoutSources(inner)]));
}
