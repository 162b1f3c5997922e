import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** MiB by which the memory of a fresh process grows at its peak while it streams so many bytes. */
export async function growthOf(job: "read" | "write", options: string, size: number): Promise<number> {
  const program = new URL("growth-probe.ts", import.meta.url).pathname;
  const flags = ["--conditions=@stowage/source", "--expose-gc"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, job, options, String(size)]);
  return Number(stdout);
}
