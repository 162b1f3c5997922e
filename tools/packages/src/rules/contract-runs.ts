import type { Package } from "../package.ts";
import type { Rule } from "./rule.ts";

/**
 * Every backend's tests run the contract, every layer's and codec's run it through themselves. Core and memory stand
 * below the testing package, so their runs live there.
 */
export const contractRuns: Rule = (subject, all) => {
  const runs = runsOf(subject, all);
  return neededRuns(subject)
    .filter(({ call, over }) => !runs.some((text) => text.includes(`${call}(`) && (over === undefined || text.includes(over))))
    .map(({ call, over }) => `No test calls ${call}${over === undefined ? "" : ` on ${over}`}.`);
};

interface Run {
  readonly call: "describeStorage" | "describeLayer" | "describeCodec";
  /** A name that must occur in the same file. */
  readonly over?: string;
}

function neededRuns({ word, kind, read }: Package): Run[] {
  if (kind === "core") {
    const layers = ["prefixed", "readOnly", "limited", "borrowed"].map((over) => ({ call: "describeLayer" as const, over }));
    return [...layers, { call: "describeCodec", over: "json" }, { call: "describeCodec", over: "text" }];
  }
  if (word === "memory") return [{ call: "describeStorage", over: "memoryStorage" }];
  if (kind === "backend") return [{ call: "describeStorage" }];
  return kind === "layer" ? [{ call: runOf(read("src/plugin.ts")) }] : [];
}

/** A combiner stands among the layers, but it is a storage of several and runs the contract as a backend does. */
function runOf(plugin: string): Run["call"] {
  if (plugin.includes('kind: "codec"')) return "describeCodec";
  return plugin.includes('kind: "backend"') ? "describeStorage" : "describeLayer";
}

function runsOf(subject: Package, all: readonly Package[]): string[] {
  const below = subject.kind === "core" || subject.word === "memory";
  const owner = below ? all.find(({ kind }) => kind === "testing") : subject;
  return owner?.files.filter((file) => file.endsWith(".test.ts")).map((file) => owner.read(file)) ?? [];
}
