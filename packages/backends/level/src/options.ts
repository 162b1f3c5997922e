import type { Options } from "@stowage/core";
import { option } from "@stowage/core";

/** The options, for code and for storage files. */
export const definitions: Options = {
  directory: option.path("The folder of the database. It is made if it is missing.", { required: true }),
  durability: option.choice(
    "What an acknowledged write survives: loss of power, or only the end of the process, which is faster.",
    ["power", "process"],
    { default: "power" },
  ),
  cacheSize: option.size("Bytes of blocks that are kept in memory.", { default: 8 * 1024 * 1024 }),
};
