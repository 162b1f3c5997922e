import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import type { LmdbOptions } from "./index.ts";
import { lmdbStorage } from "./index.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "lmdb",
    description: "Keeps entries in an LMDB database file.",
    gives: "bytes",
    options: definitions,
    make: (options, { clock }) => lmdbStorage({ ...(options as LmdbOptions), clock }),
  }),
];
