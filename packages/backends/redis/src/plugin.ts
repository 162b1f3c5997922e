import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import type { RedisOptions } from "./index.ts";
import { redisStorage } from "./index.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "redis",
    description: "Keeps entries in Redis: one server, a primary that sentinels watch, or a cluster.",
    gives: "bytes",
    options: definitions,
    make: (options, { clock }) => redisStorage({ ...(options as RedisOptions), clock }),
  }),
];
