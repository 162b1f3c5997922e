import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import type { LevelOptions } from "./index.ts";
import { levelStorage } from "./index.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "level",
    description: "Keeps entries in a LevelDB database.",
    gives: "bytes",
    options: definitions,
    make: (options, { clock }) => levelStorage({ ...(options as LevelOptions), clock }),
  }),
];
