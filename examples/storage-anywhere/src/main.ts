import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadStorages } from "@stowage/config";
import type { Guest } from "./guest-book.ts";
import { leaveNote, readBook, welcome } from "./guest-book.ts";

const usage = `Usage: node --conditions=@stowage/source src/main.ts [name] [--note text] [--config storage.yaml]

Writes a visit into the guest book that storage.yaml describes, and shows the book.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { note: { type: "string" }, config: { type: "string" }, help: { type: "boolean", short: "h" } },
});
process.exitCode = values.help === true ? help() : await main(positionals[0] ?? "somebody");

/** Exit codes: 0 all well, 1 the storage failed or its file is wrong. */
async function main(name: string): Promise<number> {
  const file = values.config === undefined ? resolve(import.meta.dirname, "../storage.yaml") : resolve(values.config);
  try {
    const storages = await loadStorages(file);
    try {
      const guests = storages.get<Guest>("guests");
      const { visits } = await welcome(guests, name, new Date());
      if (values.note !== undefined) await leaveNote(guests, name, values.note);
      const [backend] = storages.explain("guests").split("\n");
      console.log(`${backend}\n\nWelcome, ${name}: this is visit ${visits}.\n`);
      for (const line of await readBook(guests)) console.log(line);
    } finally {
      await storages.close();
    }
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

function help(): number {
  console.log(usage);
  return 0;
}
