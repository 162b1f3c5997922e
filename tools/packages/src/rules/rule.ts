import type { Package } from "../package.ts";

/** What is wrong with a package, in sentences; nothing where all is well. */
export type Rule = (subject: Package, all: readonly Package[]) => string[];
