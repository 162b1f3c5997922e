import { resolve } from "node:path";
import { loadStorages } from "@stowage/config";
import { StorageError } from "@stowage/core";
import { outagePlugin } from "./outage.ts";
import { chapterOf } from "./report.ts";
import { tellStory } from "./story.ts";

const usage = `Usage: node src/main.ts [storage.yaml]

Keeps notes on three replicas in folders, lets one of them go down and come back, and shows what each of them has.`;

process.exitCode = await main();

/** Exit codes: 0 all replicas are equal in the end, 1 they are not, 2 bad input. */
async function main(): Promise<number> {
  const [file = resolve(import.meta.dirname, "../storage.yaml"), ...more] = process.argv.slice(2);
  if (more.length > 0 || file.startsWith("-")) {
    console.log(usage);
    return file === "--help" || file === "-h" ? 0 : 2;
  }
  const pulled = new Set<string>();
  try {
    const storages = await loadStorages(file, { plugins: [outagePlugin(pulled)] });
    try {
      console.log(storages.explain("notes"));
      const replicas = await tellStory(storages.get<string>("notes"), pulled, (...chapter) => console.log(chapterOf(...chapter)));
      return new Set(replicas.map(({ notes = [] }) => JSON.stringify([...notes]))).size === 1 ? 0 : 1;
    } finally {
      await storages.close();
    }
  } catch (error) {
    const about = StorageError.is(error) && error.key !== undefined ? ` (${error.key})` : "";
    console.error(error instanceof Error ? `${error.message}${about}` : String(error));
    return 2;
  }
}
