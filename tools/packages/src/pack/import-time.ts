import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";

const processes = 15;

/** Milliseconds that importing a package takes beyond an empty module: medians of fresh processes, taken in turn. */
export async function importTime(folder: string, name: string): Promise<number> {
  const program = "const begun = performance.now(); await import(process.argv[2]); console.log(performance.now() - begun);";
  await writeFile(join(folder, "import-time.mjs"), program);
  await writeFile(join(folder, "empty.mjs"), "");
  const time = async (what: string): Promise<number> => Number(await run(process.execPath, ["import-time.mjs", what], { folder }));

  const empty: number[] = [];
  const full: number[] = [];
  for (let count = 0; count < processes; count++) {
    empty.push(await time("./empty.mjs"));
    full.push(await time(name));
  }
  return median(full) - median(empty);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
