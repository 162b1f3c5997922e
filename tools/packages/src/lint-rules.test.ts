import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "./run.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** One mistake a line, and the rule that must find it. */
const mistakes: readonly (readonly [line: string, rule: string])[] = [
  ['import { readFile } from "fs/promises";', "unicorn(prefer-node-protocol)"],
  ['import { Stats } from "node:fs";', "typescript(consistent-type-imports)"],
  ["export const pass = (value: Stats): Stats => value;", ""],
  ['export async function floating() { readFile("a"); await readFile("b"); }', "typescript(no-floating-promises)"],
  ['export const misused = [1].forEach(async () => { await readFile("a"); });', "typescript(no-misused-promises)"],
  ["export async function needless() { return await 5; }", "typescript(await-thenable)"],
  ['export async function uncaught() { try { return readFile("a"); } catch { return undefined; } }', "typescript(return-await)"],
  ["export const written: any = 1;", "typescript(no-explicit-any)"],
  ['export const spread: number = JSON.parse("1");', "typescript(no-unsafe-assignment)"],
  ['export function half(kind: "a" | "b") { switch (kind) { case "a": console.log(1); } }', "typescript(switch-exhaustiveness-check)"],
  ["export default 1;", "import(no-default-export)"],
];

test("the linter finds each kind of mistake that the decision about it names", async () => {
  const folder = await mkdtemp(join(root, "tools/packages/.mistakes-"));
  try {
    await writeFile(join(folder, "mistakes.ts"), mistakes.map(([line]) => `${line}\n`).join(""));
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ extends: "../../../tsconfig.base.json", include: ["*.ts"] }));
    const output = await run(join(root, "node_modules/.bin/oxlint"), ["--no-ignore", "--format", "unix", folder], { folder: root }).catch(
      String,
    );
    const missed = mistakes.filter(([, rule], index) => {
      const found = output.split("\n").filter((line) => line.includes(`mistakes.ts:${index + 1}:`));
      return rule !== "" && !found.some((line) => line.includes(rule));
    });
    expect(missed, output).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
