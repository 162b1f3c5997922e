import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** MiB by which the memory of a fresh process grows at its peak while it does one of the jobs of `growth-probe.ts`. */
export async function growthOf(job: string, ...args: readonly string[]): Promise<number> {
  const probe = new URL("growth-probe.ts", import.meta.url).pathname;
  const flags = ["--conditions=@stowage/source", "--expose-gc", "--disable-warning=ExperimentalWarning"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, probe, job, ...args]);
  return Number(stdout);
}
