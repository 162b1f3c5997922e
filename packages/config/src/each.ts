import type { Plugin } from "@stowage/core";
import type { Step } from "./plan.ts";
import type { Problems } from "./problems.ts";
import { quote } from "./problems.ts";
import type { Node } from "./yaml/node.ts";

/** The option, true or false, of a layer that may stand above every part; its name alone is short for it: `metrics: each`. */
export const each = "each";

/** Whether a layer may stand above every part. */
export function hasEach({ options }: Plugin): boolean {
  return options[each]?.kind === "boolean";
}

/** `each` in place of options, written out. */
export function withEach(plugin: Plugin, options: Node): Node {
  if (!hasEach(plugin) || options.kind !== "scalar" || options.value !== each) return options;
  const { place } = options;
  return { kind: "map", place, entries: new Map([[each, { place, value: { kind: "scalar", place, value: true, plain: true } }]]) };
}

/**
 * The layers of a storage with those that are for each part put above the backend and above every other layer. Where in the
 * list they were written makes no difference.
 */
export function spreadEach(layers: readonly Step[], problems: Problems): readonly Step[] {
  let spread = layers;
  for (const step of layers) {
    if (step.values[each] !== true || !hasEach(step.plugin)) continue;
    const { name } = step.plugin;
    const others = spread.filter((other) => other !== step);
    if (others.some((other) => other.plugin === step.plugin)) {
      problems.add(step.place, `${quote(name)} is above each part already; name it once.`);
      continue;
    }
    spread = [step, ...others.flatMap((other) => [other, step])];
  }
  return spread;
}
