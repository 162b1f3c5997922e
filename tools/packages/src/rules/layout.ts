import type { Rule } from "./rule.ts";

/** An index re-exports and does nothing else; folder, factory and YAML name are one word. */
export const layout: Rule = ({ word, kind, files, read }) => {
  const problems: string[] = [];
  const code = read("src/index.ts").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  if (!/^(\s*export (type )?(\*( as \w+)?|\{[^}]*\}) from "\.[^"]*";)+\s*$/.test(code))
    problems.push("src/index.ts must hold re-exports and nothing else.");
  if (kind !== "backend" && kind !== "layer") return problems;

  if (!files.includes(`src/${word}.ts`) && !files.includes(`src/${word}-storage.ts`))
    problems.push(`src/${word}.ts, named after the subject of the package, is missing.`);
  const sources = files.filter((file) => /^src\/.*(?<!\.test|\.test-d)\.ts$/.test(file)).map(read);
  const factory = kind === "backend" ? `${camelCase(word)}Storage` : camelCase(word);
  if (!sources.some((text) => new RegExp(`^export (function|const) ${factory}\\b`, "m").test(text)))
    problems.push(`The package must export the factory ${factory}().`);
  if (!new RegExp(`^\\s*name: "${word}",?$`, "m").test(read("src/plugin.ts")))
    problems.push(`src/plugin.ts must define a plugin named "${word}".`);
  return problems;
};

function camelCase(word: string): string {
  return word.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
