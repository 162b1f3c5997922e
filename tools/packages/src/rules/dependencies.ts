import type { Package } from "../package.ts";
import type { Rule } from "./rule.ts";

/** Dependencies point one way, those of tests included, and there are few of them at run time. */
export const dependencies: Rule = (subject, all) => {
  const { word, kind, manifest } = subject;
  const problems: string[] = [];
  const atRunTime = Object.keys(manifest.dependencies ?? {});
  const own = ours(subject);

  const rank = ranks[word] ?? 3;
  for (const name of own) {
    if (name === "config") problems.push("Nothing depends on config: it loads packages by name.");
    else if (!all.some((other) => other.word === name)) problems.push(`@stowage/${name} is no package of this workspace.`);
    else if (rank < 3 && (ranks[name] ?? 3) >= rank)
      problems.push(`${word} stands below ${name} and must not depend on it, not even in tests.`);
  }
  const circle = circleFrom(word, all);
  if (circle !== undefined) problems.push(`The dependencies go round: ${circle.join(" -> ")}.`);

  const allowed = {
    core: [],
    testing: ["@stowage/core", "@stowage/memory"],
    config: ["@stowage/core"],
    backend: ["@stowage/core"],
    layer: ["@stowage/core"],
  };
  const others = atRunTime.filter((name) => !(allowed[kind] as string[]).includes(name));
  const most = kind === "core" || kind === "testing" ? 0 : 1;
  if (others.length > most)
    problems.push(`At run time it may depend on ${most} beyond ${allowed[kind].join(" and ") || "nothing"}, not on ${others.join(", ")}.`);
  const relatives = others.filter((name) => name.startsWith("@stowage/"));
  if (relatives.length > 0)
    problems.push(`At run time it must not depend on ${relatives.join(", ")}: the application puts packages together.`);
  for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const isOurs = /^@stowage(-tools)?\//.test(name); // the tools are for tests, and are never published
    if (isOurs !== (range === "workspace:^"))
      problems.push(`package.json: "${name}": "${range}" must${isOurs ? "" : " not"} be "workspace:^".`);
  }
  return problems;
};

/** Who stands below whom; all others may use these. */
const ranks: Readonly<Record<string, number>> = { core: 0, memory: 1, testing: 2 };

function ours({ manifest }: Package): string[] {
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies })
    .filter((name) => name.startsWith("@stowage/"))
    .map((name) => name.slice("@stowage/".length));
}

function circleFrom(start: string, all: readonly Package[], path: readonly string[] = [start]): string[] | undefined {
  const here = all.find(({ word }) => word === path.at(-1));
  for (const next of here === undefined ? [] : ours(here)) {
    if (next === start) return [...path, start];
    const circle = path.includes(next) ? undefined : circleFrom(start, all, [...path, next]);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
