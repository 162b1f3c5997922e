import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { fileStorage } from "./index.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "file",
    description: "Keeps each entry as a file in a folder.",
    gives: "bytes",
    options: {
      directory: option.path("The folder that holds the entries. It is made if it is missing.", { required: true }),
      layout: option.choice(
        "How keys become files: `tree` has the key `a/b.json` as the file `a/b.json` and refuses keys that cannot be a path, `encoded` takes every key on every file system.",
        ["tree", "encoded"],
        { default: "tree" },
      ),
      durability: option.choice(
        "What an acknowledged write survives: loss of power, or only the end of the process, which is faster.",
        ["power", "process"],
        { default: "power" },
      ),
      io: option.choice("Small values by direct calls while the disk is quick (`auto`), or always on the thread pool.", ["auto", "pool"], {
        default: "auto",
      }),
    },
    make: (options, { clock }) => fileStorage({ ...options, clock }),
  }),
];
