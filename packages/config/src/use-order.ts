import type { Place, Problems } from "./problems.ts";
import { quote } from "./problems.ts";
import { limits } from "./yaml/limits.ts";

/** Another storage of the file, in the place of a backend. */
export interface Use {
  readonly use: string;
  readonly place: Place;
}

/** The names of storages, each after those that it uses. What leads in a circle or too deep is a problem. */
export function inUseOrder(names: readonly string[], uses: ReadonlyMap<string, readonly Use[]>, problems: Problems): string[] {
  const depths = new Map<string, number>();
  const visit = (name: string, above: readonly string[]): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    let depth = 1;
    for (const { use, place } of uses.get(name) ?? []) {
      const path = [...above, name];
      if (path.includes(use)) problems.add(place, circle([...path.slice(path.indexOf(use)), use]));
      else depth = Math.max(depth, 1 + visit(use, path));
      if (depth === limits.uses + 1) problems.add(place, `storages may use one another ${limits.uses} deep at the most.`);
    }
    depths.set(name, depth);
    return depth;
  };
  for (const name of names) visit(name, []);
  return [...depths.keys()]; // set on the way back up
}

function circle(names: readonly string[]): string {
  const shown = names.length > 8 ? [...names.slice(0, 7), "…", names.at(-1) ?? ""] : names;
  return `a storage cannot stand on itself: ${shown.map(quote).join(" uses ")}.`;
}
