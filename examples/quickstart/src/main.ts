import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { StorageError } from "@stowage/core";
import { loadStorages } from "@stowage/config";
import { findFiles } from "./folder.ts";
import { runJob } from "./job.ts";
import type { Summary } from "./job.ts";
import { makeKey } from "./key.ts";
import { startProgress } from "./progress.ts";
import { reportOf } from "./report.ts";

const usage = `Usage: npm start [-- folder] [--config storage.yaml]

Puts every file of a folder through the stack that storage.yaml describes, reads all back byte for byte,
lists them, updates one entry by compare-and-set, and shows what it took in each layer.
Without a folder it takes the sources and docs of this repository.`;

const repository = resolve(import.meta.dirname, "../../..");
const ownConfig = resolve(import.meta.dirname, "../storage.yaml");
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("Interrupted; what was stored is whole.")));
process.exitCode = await main();

/** Exit codes: 0 all well, 1 something that was stored is not what was read, 2 bad input, 130 interrupted. */
async function main(): Promise<number> {
  try {
    const { folder, config } = readArguments();
    const files = await findFiles(folder ?? repository);
    if (config === ownConfig) await makeKey(resolve(import.meta.dirname, "../data/first.key"));
    const storages = await loadStorages(config);
    let summary: Summary;
    try {
      console.log(storages.explain());
      summary = await runJob(files, storages.bytes("files"), storages.get("index"), startProgress, interrupted.signal);
    } finally {
      await storages.close();
    }
    console.log(reportOf(summary));
    return summary.different.length === 0 ? 0 : 1;
  } catch (error) {
    if (interrupted.signal.aborted) return complain(interrupted.signal.reason, 130);
    return complain(error, 2);
  }
}

function readArguments(): { folder: string | undefined; config: string } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { config: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    console.log(usage);
    process.exit(0);
  }
  if (positionals.length > 1) throw new Error(`Give one folder, got ${positionals.length}.\n${usage}`);
  const here = process.env["INIT_CWD"] ?? process.cwd();
  const [folder] = positionals;
  return {
    folder: folder === undefined ? undefined : resolve(here, folder),
    config: values.config === undefined ? ownConfig : resolve(here, values.config),
  };
}

/** One sentence for people, without a stack trace; where a key was involved, which. */
function complain(error: unknown, exitCode: number): number {
  const about = StorageError.is(error) && error.key !== undefined ? ` (${error.key})` : "";
  console.error(error instanceof Error ? `${error.message}${about}` : String(error));
  return exitCode;
}
