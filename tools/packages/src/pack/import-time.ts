import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";

const rounds = 3;
const processes = 9;

/**
 * Milliseconds that importing a package takes beyond an empty module: medians of fresh processes, taken in turn. Of some
 * rounds the quickest counts, because a busy machine can only make them slower; the first that is within `limit` ends it.
 */
export async function importTime(folder: string, name: string, limit: number): Promise<number> {
  const program = "const begun = performance.now(); await import(process.argv[2]); console.log(performance.now() - begun);";
  await writeFile(join(folder, "import-time.mjs"), program);
  await writeFile(join(folder, "empty.mjs"), "");
  const time = async (what: string): Promise<number> => Number(await run(process.execPath, ["import-time.mjs", what], { folder }));

  let quickest = Infinity;
  for (let round = 0; round < rounds && quickest > limit; round++) {
    const empty: number[] = [];
    const full: number[] = [];
    for (let count = 0; count < processes; count++) {
      empty.push(await time("./empty.mjs"));
      full.push(await time(name));
    }
    quickest = Math.min(quickest, median(full) - median(empty));
  }
  return quickest;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
