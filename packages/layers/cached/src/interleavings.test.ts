import { describe, test } from "vitest";
import { Interleaving } from "./interleaving/interleaving.ts";

const full = process.env["STOWAGE_EFFORT"] === "full";
/** Interleavings of each kind; there are five. */
const runs = full ? 8_000 : 300;
const given = Number(process.env["STOWAGE_SEED"] ?? Number.NaN);
const first = Number.isInteger(given) ? given : Math.floor(Math.random() * 2 ** 31);

const plain = { withStore: false, withBus: false, loses: false, crashes: false };

describe.each([
  ["memory alone", plain],
  ["a store", { ...plain, withStore: true }],
  ["a store and a bus", { ...plain, withStore: true, withBus: true }],
  ["a bus that loses messages", { ...plain, withBus: true, loses: true }],
  ["a store, and a process that ends in the midst of it", { ...plain, withStore: true, crashes: true }],
])("with %s", (_, options) => {
  test(`in ${runs} interleavings no read is older than what was acknowledged, and no level keeps what is old`, async () => {
    for (let run = 0; run < runs; run++) await new Interleaving({ seed: first + run, ...options }).run();
  }, 600_000);
});
