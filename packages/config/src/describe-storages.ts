import type { Described } from "./plan.ts";
import type { Problems } from "./problems.ts";
import { quote } from "./problems.ts";
import type { Registry } from "./registry.ts";
import { expandShortForm } from "./short-form.ts";
import type { Node } from "./yaml/node.ts";
import { limits } from "./yaml/limits.ts";
import { isNothing, kindOf } from "./yaml/node.ts";

/** The storages that a file describes, in its long form (`storages:`) or its short one (`storage:`). */
export async function describeStorages(root: Node, problems: Problems, registry: Registry): Promise<Described[]> {
  if (isNothing(root)) {
    problems.add(root.place, 'the file is empty; it needs "storages:" with at least one storage.');
    return [];
  }
  if (root.kind !== "map") {
    problems.add(root.place, `expected "storages:" at the start of the file, got ${kindOf(root)}.`);
    return [];
  }
  for (const [name, { place }] of root.entries) {
    if (name !== "storages" && name !== "storage") problems.add(place, `there is no ${quote(name)} here; a file has "storages".`);
  }
  const long = root.entries.get("storages");
  const short = root.entries.get("storage");
  if (long !== undefined && short !== undefined) {
    problems.add(short.place, 'a file has either "storages" or, in short, "storage", not both.');
    return [];
  }
  if (short !== undefined) return await expandShortForm(short.value, problems, registry);
  if (long === undefined) {
    if (!problems.found) problems.add(root.place, 'the file has no storages; it needs "storages:" with at least one.');
    return [];
  }
  return named(long.value, problems);
}

function named(node: Node, problems: Problems): Described[] {
  if (node.kind !== "map" || node.entries.size === 0) {
    const got = node.kind === "map" ? "none" : kindOf(node);
    problems.add(node.place, `expected names of storages, each with a backend and layers; got ${got}.`);
    return [];
  }
  if (node.entries.size > limits.storages) {
    problems.add(node.place, `a file may have ${limits.storages} storages at the most.`);
    return [];
  }
  return [...node.entries].map(([name, { place, value }]) => {
    if (!storageName.test(name)) {
      problems.add(
        place,
        "the name of a storage is letters, digits, dots, dashes and underscores, up to 64, and starts with a letter or digit.",
      );
    }
    return { name, node: value, bareSeconds: false };
  });
}

const storageName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
