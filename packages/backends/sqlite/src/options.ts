import type { Options } from "@stowage/core";
import { option } from "@stowage/core";
import { tableName } from "./schema.ts";

/** The options, for code and for storage files. */
export const definitions: Options = {
  path: option.path("The database file. It is made if it is missing, and so is its folder.", { required: true }),
  table: option.text("Which of several storages in one file this is.", { pattern: tableName, default: "entries" }),
  durability: option.choice(
    "What an acknowledged write survives: loss of power, or only the end of the process, which is faster.",
    ["power", "process"],
    {
      default: "power",
    },
  ),
  cacheSize: option.size("Bytes of pages that are kept in memory.", { default: 64 * 1024 * 1024 }),
  busyTimeout: option.duration("How long a write waits for the lock of another connection.", { default: 10_000 }),
  thread: option.boolean("Commits on a thread of its own, so that no sync of the disk holds up the event loop.", { default: false }),
};
