import type { Rule } from "./rule.ts";

const sections = ["Install", "Use", "Options", "Place in the stack", "Promises", "Errors"];

/** A README answers the same questions in the same order, in 40 to 100 lines. Core, testing and config have more than one subject. */
export const readme: Rule = ({ word, kind, read }) => {
  const text = read("README.md");
  if (text === "") return ["README.md is missing."];
  const problems: string[] = [];
  const lines = text.trimEnd().split("\n");
  const headings = lines.filter((line) => line.startsWith("## ")).map((line) => line.slice(3));
  const alike = kind === "backend" || kind === "layer";

  if (lines[0] !== `# @stowage/${word}`) problems.push(`README.md must begin with "# @stowage/${word}".`);
  if (!/^[A-Z].*[.!]$/.test((lines.slice(1).join("\n").trim().split("\n\n")[0] ?? "").replaceAll("\n", " ")))
    problems.push("README.md must say in its first sentence what the package is.");
  const wanted = alike ? sections : ["Install", "Use"];
  const found = headings.filter((heading) => wanted.includes(heading));
  if (found.join() !== wanted.join()) problems.push(`README.md must have the sections, in this order: ${wanted.join(", ")}.`);
  if (!new RegExp(`npm install .*@stowage/${word}\\b`).test(text)) problems.push("README.md must show how to install the package.");
  if (!text.includes("```ts")) problems.push("README.md must show an example.");
  if (!alike) return problems;

  if (!text.includes("| option ")) problems.push('README.md must have a table of options, with the heading "option".');
  if (!/^\| code +\|/m.test(text)) problems.push('README.md must have a table of errors, with the heading "code".');
  if (lines.length < 40 || lines.length > 100) problems.push(`README.md has ${lines.length} lines; it must have 40 to 100.`);
  return problems;
};
