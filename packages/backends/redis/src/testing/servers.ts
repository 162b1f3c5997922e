import { setTimeout as sleep } from "node:timers/promises";
import { skipReason } from "@stowage-tools/servers";
import type { CreatedStorage } from "@stowage/testing/contract";

/** Skips where there is no Redis, by the name of what is missing. In CI everything is there: a test that cannot run fails. */
export function needsRedis(): { readonly skip: boolean } {
  const reason = skipReason("redis");
  if (reason !== undefined && process.env["CI"] !== undefined) throw new Error(reason);
  return { skip: reason !== undefined };
}

let count = 0;

/** A namespace that no other test has. */
export const freshNamespace = (): string => `test-${process.pid}-${++count}`;

/** The time of a server, which nobody can move. It runs in whole milliseconds, so one more passes than was asked for. */
export const serverTime: NonNullable<CreatedStorage["time"]> = {
  now: () => Date.now(),
  advance: (duration) => sleep(duration + 1),
};
