import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { memoryStorage } from "./memory.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "memory",
    description: "Keeps everything in the memory of this process and forgets it when it is closed.",
    gives: "any",
    options: {
      maxEntries: option.whole("Entries at the most; a put over it is `full`. Without it there is no limit.", { min: 1 }),
      maxSize: option.size("Bytes of all values at the most; a put over it is `full`. Without it there is no limit.", { min: 1 }),
      share: option.boolean("Keeps and hands out the very value that was put, without copies: safe where nobody changes a value.", {
        default: false,
      }),
      values: option.choice("What it holds: bytes, which a codec turns into values, or any values themselves.", ["bytes", "any"], {
        default: "bytes",
      }),
    },
    make: ({ values, ...options }, { clock }) =>
      values === "any" ? memoryStorage<unknown>({ ...options, values, clock }) : memoryStorage({ ...options, clock }),
  }),
];
