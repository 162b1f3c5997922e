import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * MiB by which the memory of a fresh process grows at its peak while it streams so many bytes. Its garbage is collected on
 * its own thread: on one beside it, buffers are freed as late as the machine is busy. Where the figure is not below `limit`
 * it is measured again, up to twice, for what else the machine does never makes it smaller.
 */
export async function growthOf(job: "read" | "write", options: string, size: number, limit: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3 && least >= limit; run++) least = Math.min(least, await growthOfRun(job, options, size));
  return least;
}

async function growthOfRun(job: string, options: string, size: number): Promise<number> {
  const program = new URL("growth-probe.ts", import.meta.url).pathname;
  const flags = ["--conditions=@stowage/source", "--expose-gc", "--single-threaded-gc"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, job, options, String(size)]);
  return Number(stdout);
}
