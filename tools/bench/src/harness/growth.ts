import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** MiB by which the memory of a fresh process grows at its peak while it does one of the jobs of `growth-probe.ts`. */
export function growthOf(job: string, ...args: readonly string[]): Promise<number> {
  return probe("growth-probe.ts", job, ...args);
}

/** Bytes that an entry costs in one of the caches of `footprint-probe.ts`, beyond its key and its value. */
export function footprintOf(cache: string, entries: string): Promise<number> {
  return probe("footprint-probe.ts", cache, entries);
}

/** The figure that a program prints which runs in a process of its own. */
async function probe(program: string, ...args: readonly string[]): Promise<number> {
  const path = new URL(program, import.meta.url).pathname;
  const flags = ["--conditions=@stowage/source", "--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, path, ...args]);
  return Number(stdout);
}
