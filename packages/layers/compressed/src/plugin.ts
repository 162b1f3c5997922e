import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { compressed } from "./compressed.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "compressed",
    description: "Compresses values.",
    takes: "bytes",
    traits: ["compresses"],
    options: {
      codec: option.choice("How new values are compressed; values of every codec can be read.", ["zstd", "gzip", "brotli"], {
        default: "zstd",
      }),
      level: option.whole("How hard to try: zstd 1 to 22 (usually 3), gzip 1 to 9 (usually 6), brotli 0 to 11 (usually 4).", { max: 22 }),
      minSize: option.size("Values of fewer bytes are stored as they are.", { default: 128 }),
      minSaving: option.number("The share that must be saved; a value or block that shrinks less is stored as it is.", {
        max: 1,
        default: 0.05,
      }),
      maxSize: option.size("Bytes of the largest value; more is `too-large`. Without it, a stream has no limit.", {
        min: 1,
        default: 256 * 1024 * 1024,
      }),
      legacy: option.either("Values without a header, from before this layer, are given as they are. Without it they are `corrupt`.", [
        option.choice("For ever.", ["raw"]),
        option.object("For a time.", { until: option.text("Until this date: `2027-06-30`.", { required: true }) }),
      ]),
      engine: option.choice(
        "Who does the work for brotli: node:zlib where it is (`auto`), or one of the two.",
        ["auto", "zlib", "brotli-wasm"],
        {
          default: "auto",
        },
      ),
    },
    make: (options, { clock }) => compressed({ ...options, clock }),
  }),
];
