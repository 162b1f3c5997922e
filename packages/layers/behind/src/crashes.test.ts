import { expect, test } from "vitest";
import type { Step } from "./crashes/history.ts";
import { live } from "./crashes/life.ts";
import type { Fault, Mistake } from "./crashes/world.ts";

const isFull = process.env["STOWAGE_EFFORT"] === "full";
const seed = Number(process.env["STOWAGE_SEED"] ?? Date.now() % 1_000_000);

const faults: readonly Fault[] = ["fails", "loses its answer", "hangs", "crashes before", "crashes after"];

/** Overtaking, coalescing, deletes, a batch, values in memory and in the journal, more than there is room for. */
const script: readonly Step[] = [
  { do: "put", key: "a" },
  { do: "put", key: "b" },
  { do: "put", key: "a" },
  { do: "delete", key: "b" },
  { do: "wait", duration: 60 },
  { do: "put", key: "a" },
  { do: "write", key: "large", size: 100_000 },
  { do: "batch", keys: ["a", "c", "d"] },
  { do: "put", key: "large", size: 100_000 },
  { do: "delete", key: "c" },
  { do: "put", key: "a" },
  { do: "wait", duration: 60 },
  { do: "put", key: "a" },
  { do: "put", key: "c" },
  { do: "flush" },
  { do: "put", key: "b" },
  { do: "delete", key: "a" },
  { do: "wait", duration: 200 },
];

test("without faults everything arrives, and nothing is left in the journal", async () => {
  const { wrong, steps } = await live(script, new Map());
  expect([wrong, steps > 25]).toEqual([[], true]);
});

test.for(faults)("no acknowledged write is lost and no key goes back, whichever step %s", async (fault) => {
  const { steps } = await live(script, new Map());
  for (let at = 1; at <= steps; at++) {
    const { wrong } = await live(script, new Map([[at, fault]]));
    expect(wrong, `step ${at} of ${steps} ${fault}`).toEqual([]);
  }
});

test("no acknowledged write is lost and no key goes back, whatever happens in whatever order", { timeout: 600_000 }, async () => {
  for (let run = 0; run < (isFull ? 5_000 : 150); run++) {
    const random = seeded(seed + run);
    const { wrong } = await live(randomScript(random), randomFaults(random));
    expect(wrong, `STOWAGE_SEED=${seed + run}, run 0`).toEqual([]);
  }
});

test.for<Mistake>(["removes before it writes", "removes the newest first", "acknowledges before the journal has it"])(
  "a layer that %s is found out",
  async (mistake) => {
    const { steps } = await live(script, new Map());
    const found: string[] = [];
    for (let at = 1; at <= steps; at++) {
      for (const fault of ["crashes before", "crashes after"] as const) {
        found.push(...(await live(script, new Map([[at, fault]]), mistake)).wrong);
      }
    }
    expect(found.length).toBeGreaterThan(0);
  },
);

function randomScript(random: () => number): Step[] {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const key = (): string => pick(["a", "a", "b", "c"]);
  const choices: readonly (() => Step)[] = [
    () => ({ do: "put", key: key() }),
    () => ({ do: "put", key: key(), size: 70_000 }),
    () => ({ do: "write", key: key(), size: 70_000 }),
    () => ({ do: "delete", key: key() }),
    () => ({ do: "batch", keys: ["b", "a"] }),
    () => ({ do: "wait", duration: pick([0, 30, 60, 500]) }),
    () => ({ do: "flush" }),
  ];
  return Array.from({ length: 4 + Math.floor(random() * 16) }, () => pick(choices)());
}

function randomFaults(random: () => number): Map<number, Fault> {
  const chosen = new Map<number, Fault>();
  for (let count = Math.floor(random() * 6); count > 0; count--) {
    chosen.set(1 + Math.floor(random() * 50), faults[Math.floor(random() * faults.length)]!);
  }
  return chosen;
}

/** Mulberry32. */
function seeded(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
