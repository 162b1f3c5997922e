import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadStorages } from "@stowage/config";
import type { Droppable } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { MoveOptions, Opened } from "./move.ts";
import { move } from "./move.ts";
import { startProgress } from "./progress.ts";

const usage = `Usage: pnpm move FILE FROM TO [options]

Copies what the storage FROM of a YAML file holds into the storage TO of the same file, with metadata and expiry, and
then opens both anew and compares every entry: value, metadata and expiry. FROM keeps all it has, unless --remove is given.

Before anything is copied, all keys are looked at. Nothing is begun, and a list says why, where TO cannot hold a key, has
something else under one, or cannot keep metadata or expiry.

  --prefix TEXT        only keys that begin so
  --drop WHAT          copies without what TO cannot keep: metadata, expiry, or metadata,expiry
  --overwrite          replaces what TO has under the same keys with another content
  --single-writer      nobody else writes to TO meanwhile; needed where it has no condition "create"
  --remove             at the end, when every entry has been found the same, removes them from FROM: just the versions that
                       were compared, so that an entry which was changed meanwhile stays
  --dry-run            only looks at the keys
  --concurrency COUNT  entries on their way at once, 64 unless given; large ones go by fours
  --help               this text

It can be interrupted at any moment, killed too. The same command goes on from there: what is the same already is compared,
and not written again.

Exit codes: 0 done, 1 not begun, failed or incomplete, 2 wrong arguments or a wrong file, 130 interrupted.`;

const howToGoOn = "Nothing is lost: the same command goes on from here.";

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort(new Error("Interrupted.")));
process.exitCode = await main();

interface Arguments extends MoveOptions {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

async function main(): Promise<number> {
  let given: Arguments | undefined;
  try {
    given = readArguments();
  } catch (error) {
    return complain(error instanceof Error ? error.message : String(error), 2);
  }
  if (given === undefined) {
    console.log(usage);
    return 0;
  }
  const { file, from, to, ...options } = given;
  try {
    return (await move(() => open(file, from, to), options, { say: console.log, startProgress })) ? 0 : 1;
  } catch (error) {
    if (interrupted.signal.aborted) return complain(`Interrupted. ${howToGoOn}`, 130);
    if (StorageError.is(error, "config")) return complain(error.message, 2);
    const about = StorageError.is(error) && error.key !== undefined ? ` (${JSON.stringify(error.key)} in ${error.storage})` : "";
    return complain(`${error instanceof Error ? error.message : String(error)}${about}\n${howToGoOn}`, 1);
  }
}

/** What was asked for; `undefined` where it is help. */
function readArguments(): Arguments | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      prefix: { type: "string" },
      drop: { type: "string" },
      overwrite: { type: "boolean" },
      "single-writer": { type: "boolean" },
      remove: { type: "boolean" },
      "dry-run": { type: "boolean" },
      concurrency: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return undefined;
  const [file, from, to, ...more] = positionals;
  if (file === undefined || from === undefined || to === undefined || more.length > 0) throw new Error(usage);
  if (from === to) throw new Error("FROM and TO are the same storage; name two.");
  return {
    file: resolve(process.env["INIT_CWD"] ?? process.cwd(), file),
    from,
    to,
    prefix: values.prefix,
    drop: readDrop(values.drop),
    overwrite: values.overwrite,
    singleWriter: values["single-writer"],
    remove: values.remove,
    dryRun: values["dry-run"],
    concurrency: readCount(values.concurrency),
    signal: interrupted.signal,
  };
}

function readDrop(text: string | undefined): readonly Droppable[] {
  const names = text?.split(",") ?? [];
  for (const name of names)
    if (name !== "metadata" && name !== "expiry") throw new Error(`--drop takes metadata and expiry, got "${name}".`);
  return names as Droppable[];
}

function readCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--concurrency takes a whole number of at least 1, got "${text}".`);
  return count;
}

async function open(file: string, fromName: string, toName: string): Promise<Opened> {
  const storages = await loadStorages(file);
  const storageNamed = (name: string): Opened["from"] => {
    try {
      return storages.bytes(name);
    } catch {
      return storages.get(name); // it holds values, or this says that it is not there
    }
  };
  try {
    return { from: storageNamed(fromName), to: storageNamed(toName), close: () => storages.close() };
  } catch (error) {
    await storages.close();
    throw error;
  }
}

/** One sentence for people, without a stack trace. */
function complain(message: string, exitCode: number): number {
  console.error(message);
  return exitCode;
}
