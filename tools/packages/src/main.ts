import { fileURLToPath } from "node:url";
import { tryInBrowser } from "./browser/try-in-browser.ts";
import { check } from "./check.ts";
import { tryPacked } from "./pack/try-packed.ts";
import { readPackages } from "./package.ts";

/**
 *   pnpm packages            are the packages alike?
 *   pnpm packages pack       pack each, look at the tarball, install it alone and use it
 *   pnpm packages browser    bundle what is made for browsers and run it in one
 */
const root = fileURLToPath(new URL("../../..", import.meta.url));
const packages = readPackages(root);

const commands: Readonly<Record<string, () => string[] | Promise<string[]>>> = {
  check: () => check(packages),
  pack: () => tryPacked(root, packages),
  browser: () => tryInBrowser(root, packages),
};

const name = process.argv[2] ?? "check";
const command = commands[name];
if (command === undefined) {
  console.error(`There is no command "${name}"; there are ${Object.keys(commands).join(", ")}.`);
  process.exitCode = 2;
} else {
  const problems = await Promise.resolve(command()).catch((error: unknown) => [error instanceof Error ? error.message : String(error)]);
  for (const problem of problems) console.error(problem);
  console.log(`${packages.length} packages, ${problems.length} problems`);
  if (problems.length > 0) process.exitCode = 1;
}
