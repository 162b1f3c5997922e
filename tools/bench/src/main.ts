import { parseArgs } from "node:util";
import { machine, Report } from "./harness/report.ts";
import type { Workload } from "./harness/workload.ts";
import { Bench } from "./harness/workload.ts";
import { compression } from "./workloads/compression.ts";
import { file } from "./workloads/file.ts";
import { layers } from "./workloads/layers.ts";
import { listing } from "./workloads/listing.ts";
import { memory } from "./workloads/memory.ts";
import { retrying } from "./workloads/retrying.ts";

const workloads: readonly Workload[] = [layers, memory, file, listing, compression, retrying];

/**
 * `pnpm bench [workload...] [--smoke] [--json]`: prints ratios to limits that were measured in the same run. Timing never
 * fails it; only a workload that throws does.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { smoke: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
  });
  const unknown = positionals.filter((name) => !workloads.some((workload) => workload.name === name));
  if (unknown.length > 0) {
    console.error(`There is no workload "${unknown.join(", ")}"; there are ${workloads.map(({ name }) => name).join(", ")}.`);
    return 2;
  }
  const report = new Report(values.json ? () => {} : console.log);
  const chosen = positionals.length === 0 ? workloads : workloads.filter(({ name }) => positionals.includes(name));
  if (!values.json) console.log(machine());
  const broken: string[] = [];
  for (const workload of chosen) {
    report.begin(workload.name, workload.about);
    const bench = new Bench(report, values.smoke);
    try {
      await workload.run(bench);
    } catch (error) {
      broken.push(workload.name);
      console.error(`The workload "${workload.name}" failed:`, error);
    } finally {
      await bench.clean();
    }
  }
  if (values.json)
    console.log(JSON.stringify({ machine: machine(), smoke: values.smoke, checks: report.checks, tables: report.tables }, null, 2));
  else if (values.smoke)
    console.log(`\n${chosen.length - broken.length} of ${chosen.length} workloads ran; these sizes say nothing about speed.`);
  else report.summary();
  return broken.length === 0 ? 0 : 1;
}

process.exitCode = await main();
