import type { Options } from "@stowage/core";
import { option } from "@stowage/core";

/** The options, for code and for storage files; the store itself is given in another way by each. */
export const definitions: Options = {
  namespace: option.text("Keeps the entries of this storage apart from all others in the same store.", { default: "" }),
  durability: option.choice(
    "What the store promises of an acknowledged write, which nobody can find out.",
    ["memory", "process", "power"],
    {
      default: "memory",
    },
  ),
  shared: option.boolean("Whether other processes use the same store.", { default: false }),
  maxKeySize: option.whole("Letters of the longest key that the store takes; without it any.", { min: 16 }),
};
