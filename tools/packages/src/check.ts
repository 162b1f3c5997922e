import type { Package } from "./package.ts";
import { contractRuns } from "./rules/contract-runs.ts";
import { dependencies } from "./rules/dependencies.ts";
import { exportedEntries } from "./rules/exports.ts";
import { layout } from "./rules/layout.ts";
import { metadata } from "./rules/metadata.ts";
import { readme } from "./rules/readme.ts";
import type { Rule } from "./rules/rule.ts";

const rules: readonly Rule[] = [metadata, exportedEntries, layout, dependencies, contractRuns, readme];

/** What makes the packages unlike each other, a sentence each with the package's folder in front. */
export function check(packages: readonly Package[]): string[] {
  return packages.flatMap((subject) => rules.flatMap((rule) => rule(subject, packages)).map((problem) => `${subject.folder}: ${problem}`));
}
