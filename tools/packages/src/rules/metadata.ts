import { isDeepStrictEqual } from "node:util";
import type { Exports } from "../package.ts";
import type { Rule } from "./rule.ts";

const order = [
  "name",
  "version",
  "description",
  "keywords",
  "license",
  "files",
  "type",
  "sideEffects",
  "exports",
  "publishConfig",
  "scripts",
  "dependencies",
  "devDependencies",
  "peerDependencies",
  "peerDependenciesMeta",
  "engines",
];

/** Every package.json says the same things in the same order. */
export const metadata: Rule = ({ word, manifest, files, read }, all) => {
  const problems: string[] = [];
  const same = (field: string, actual: unknown, expected: unknown): void => {
    if (!isDeepStrictEqual(actual, expected)) problems.push(`package.json: ${field} must be ${JSON.stringify(expected)}.`);
  };

  same("name", manifest.name, `@stowage/${word}`);
  same("version", manifest.version, all[0]?.manifest.version);
  same("license", manifest.license, "MIT");
  same("type", manifest.type, "module");
  same("sideEffects", manifest.sideEffects, false);
  // Editors read the schema of storage files out of the package, and operators its dashboards.
  const others = [...(word === "config" ? ["storage.schema.json"] : []), ...(word === "metrics" ? ["dashboards"] : [])];
  same("files", manifest.files, ["dist", ...others, "!dist/**/*.map"]);
  same("engines", manifest.engines, { node: ">=22.19" });
  same("publishConfig.access", manifest.publishConfig?.access, "public");
  const sources = sourcesOf(manifest.exports ?? {});
  // A thread is started from a file of its own.
  const threads = files.filter((file) => file === "src/worker.ts");
  same("scripts", manifest.scripts, { build: buildScript([...sources, ...threads]) });
  if (!/^[A-Z].*\.$/.test(manifest.description ?? "")) problems.push("package.json: description must be a sentence.");
  for (const keyword of ["storage", "stowage"])
    if (!manifest.keywords?.includes(keyword)) problems.push(`package.json: keywords must hold "${keyword}".`);

  const fields = Object.keys(manifest);
  const known = order.filter((field) => fields.includes(field));
  if (!isDeepStrictEqual(fields, known)) problems.push(`package.json: the fields must be, in this order: ${known.join(", ")}.`);
  if (!read("tsconfig.build.json").includes(`"files": ${JSON.stringify(sources)}`.replaceAll(",", ", ")))
    problems.push(`tsconfig.build.json must have the files ${sources.join(", ")}: what an entry reaches is built, and nothing else.`);
  return problems;
};

/** Declarations from the compiler, and one file of code for each entry, with what entries share apart. */
export function buildScript(sources: readonly string[]): string {
  const settings =
    "--bundle --splitting --format=esm --platform=neutral --packages=external --target=es2024 --sourcemap=external --outdir=dist";
  return `tsc -p tsconfig.build.json && esbuild ${sources.join(" ")} ${settings} --log-level=warning`;
}

/** The sources that `exports` lead to. */
function sourcesOf(exports: Readonly<Record<string, Exports>>): string[] {
  const sources = Object.entries(exports).flatMap(([condition, inner]) => {
    if (typeof inner !== "string") return sourcesOf(inner);
    return condition === "@stowage/source" ? [inner.slice(2)] : [];
  });
  return [...new Set(sources)];
}
