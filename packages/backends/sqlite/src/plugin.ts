import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import type { SqliteOptions } from "./index.ts";
import { sqliteStorage } from "./index.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "sqlite",
    description: "Keeps entries in an SQLite database file.",
    gives: "bytes",
    options: definitions,
    make: (options, { clock }) => sqliteStorage({ ...(options as SqliteOptions), clock }),
  }),
];
