import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { machine, Report } from "./harness/report.ts";
import type { Workload } from "./harness/workload.ts";
import { Bench } from "./harness/workload.ts";
import { backends } from "./workloads/backends.ts";
import { writingBehind } from "./workloads/behind.ts";
import { caching } from "./workloads/caching.ts";
import { compositing } from "./workloads/composite.ts";
import { compression } from "./workloads/compression.ts";
import { encryption } from "./workloads/encryption.ts";
import { envelope } from "./workloads/envelope.ts";
import { telling } from "./workloads/events.ts";
import { file } from "./workloads/file.ts";
import { layers } from "./workloads/layers.ts";
import { level } from "./workloads/level.ts";
import { listing } from "./workloads/listing.ts";
import { lmdb } from "./workloads/lmdb.ts";
import { memory } from "./workloads/memory.ts";
import { measuring } from "./workloads/metrics.ts";
import { redis } from "./workloads/redis.ts";
import { retrying } from "./workloads/retrying.ts";
import { s3 } from "./workloads/s3.ts";
import { sqlite } from "./workloads/sqlite.ts";

const workloads: readonly Workload[] = [
  layers,
  memory,
  file,
  listing,
  compression,
  encryption,
  caching,
  envelope,
  retrying,
  writingBehind,
  compositing,
  measuring,
  sqlite,
  lmdb,
  level,
  redis,
  s3,
  backends,
  telling,
];

/** What stands above the figures in a page that they are written into. */
const mark = "<!-- figures -->";

/**
 * `pnpm bench [workload...] [--smoke] [--json] [--into page.md]`: prints ratios to limits that were measured in the same
 * run, and puts them into a page. Timing never fails it; only a workload that throws does.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { smoke: { type: "boolean", default: false }, json: { type: "boolean", default: false }, into: { type: "string" } },
  });
  const unknown = positionals.filter((name) => !workloads.some((workload) => workload.name === name));
  if (unknown.length > 0) {
    console.error(`There is no workload "${unknown.join(", ")}"; there are ${workloads.map(({ name }) => name).join(", ")}.`);
    return 2;
  }
  const lines: string[] = [];
  const print = (text: string): void => {
    lines.push(text);
    if (!values.json) console.log(text);
  };
  const report = new Report(print);
  const chosen = positionals.length === 0 ? workloads : workloads.filter(({ name }) => positionals.includes(name));
  print(machine());
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
  else if (report.checks.length > 0) report.summary();
  if (values.into !== undefined) await writeInto(values.into, lines.join("\n"));
  return broken.length === 0 ? 0 : 1;
}

async function writeInto(page: string, figures: string): Promise<void> {
  const [above = ""] = (await readFile(page, "utf8")).split(mark);
  await writeFile(page, `${above}${mark}\n\n${figures}\n`);
}

process.exitCode = await main();
