import { mkdirSync, opendirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteStorage } from "@stowage/core";
import { scan } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import type { Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { growthOf } from "../harness/growth.ts";
import { figure } from "../harness/report.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** A list of a large folder against one walk with `opendir`, which gives the keys in no order. */
export const listing: Workload = {
  name: "listing",
  about: "All keys of a file storage on tmpfs, in order and page by page, against one walk with opendir.",
  async run(bench) {
    const keys = bench.pick(100_000, 200);
    await list(bench, keys, 1);
    await list(bench, keys, bench.pick(100, 10));
  },
};

const limit = "one opendir walk (limit)";
const ours = "file";

async function list(bench: Bench, keys: number, folders: number): Promise<void> {
  const directory = await bench.folder("memory");
  fill(directory, keys, folders);
  let storage: ByteStorage = fileStorage({ directory });
  const anew = async (): Promise<void> => {
    await storage.close();
    storage = fileStorage({ directory });
    await storage.has("nothing");
  };
  const all = await compare(
    [
      once(limit, async () => expectKeys(walk(directory), keys)),
      { ...once(ours, async () => expectKeys(await count(storage), keys)), prepare: anew },
    ],
    bench.long,
  );
  const first = await compare(
    [once(limit, async () => void walk(directory, 1)), { ...once(ours, async () => void (await scan(storage).next())), prepare: anew }],
    bench.long,
  );
  await storage.close();
  const memory = await growthOf("list", String(keys), directory);
  const what = folders === 1 ? "one folder" : `${folders} folders`;
  const milliseconds = (nanoseconds: number): string => figure(nanoseconds / 1e6);
  bench.report.table(
    `${keys.toLocaleString("en")} keys in ${what}`,
    ["contender", "first key ms", "all keys ms", "memory MiB"],
    [
      [limit, milliseconds(first.nanoseconds(limit)), milliseconds(all.nanoseconds(limit)), ""],
      [ours, milliseconds(first.nanoseconds(ours)), milliseconds(all.nanoseconds(ours)), figure(memory)],
    ],
  );
  bench.report.atMost(`all keys in ${what}, of one opendir walk`, 1 / all.ratio(ours, limit), 2.5);
  if (folders > 1) bench.report.atMost(`the first key in ${what}`, first.nanoseconds(ours) / 1e6, 2, " ms");
  bench.report.atMost(`memory for all keys in ${what}`, memory, 20, " MiB");
}

function fill(directory: string, keys: number, folders: number): void {
  for (let folder = 0; folder < folders; folder++) {
    const path = folders === 1 ? directory : join(directory, `folder-${folder}`);
    mkdirSync(path, { recursive: true });
    for (let index = 0; index < keys / folders; index++) writeFileSync(join(path, `entry-${index}.json`), "");
  }
}

/** The keys below a folder, as fast as Node gives them; at most so many. */
function walk(directory: string, most: number = Number.POSITIVE_INFINITY): number {
  const found: string[] = [];
  const pending = [""];
  for (let prefix = pending.pop(); prefix !== undefined && found.length < most; prefix = pending.pop()) {
    const folder = opendirSync(join(directory, prefix), { bufferSize: 512 });
    for (let entry = folder.readSync(); entry !== null && found.length < most; entry = folder.readSync()) {
      if (entry.isFile()) found.push(prefix + entry.name);
      else if (entry.name !== ".stowage") pending.push(`${prefix}${entry.name}/`);
    }
    folder.closeSync();
  }
  return found.length;
}

async function count(storage: ByteStorage): Promise<number> {
  let found = 0;
  for await (const _ of scan(storage)) found++;
  return found;
}

function expectKeys(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`The walk found ${found} keys instead of ${wanted}.`);
}

const once = (name: string, run: () => Promise<void>): Contender => ({ name, operations: 1, run });
