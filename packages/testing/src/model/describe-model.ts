import { findLayer, isByteStorage } from "@stowage/core";
import * as fc from "fast-check";
import { describe, test } from "vitest";
import { bytesOf, sampleBytes } from "../contract/samples.ts";
import { property } from "../contract/property.ts";
import { FaultyStorage } from "../faulty.ts";
import { randomTestTimeout, runsOf, stepLimit } from "./effort.ts";
import type { ModelSubject } from "./fresh-storage.ts";
import { onFreshStorage } from "./fresh-storage.ts";
import { ModelRun } from "./run.ts";
import type { Step } from "./steps.ts";
import { stepsFor } from "./steps.ts";

/** Sizes of the bytes that are put: nothing, small ones, and more than a chunk. */
const sizes = [0, 1, 5, 127, 128, 1000, 4096, 70_000];

/**
 * Registers a test that takes random steps on a storage and on a plain model of it, and compares the two: `put`, `get`,
 * conditions, lists, streams, batches, expiry, opening again, as far as `capabilities` go. A failure shows the shortest
 * sequence of steps that fails, and the seed: set `STOWAGE_SEED` to it to see the same again.
 *
 * With a `faulty` layer somewhere in the stack, calls may fail, and only what the contract then allows may be stored.
 *
 * ```ts
 * describeModel("cached", {
 *   create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock }), cached({ clock })),
 * });
 * ```
 */
export function describeModel(name: string, subject: ModelSubject): void {
  describe(name, () => {
    test("does as a plain model does, whatever the steps", async () => await checkModel(subject), randomTestTimeout);
  });
}

/** The same without a test runner. Throws where storage and model differ. */
export async function checkModel(subject: ModelSubject): Promise<void> {
  const { values, runs = 200 } = subject;
  const sequences = await onFreshStorage(subject, 0, async ({ storage }) => {
    const samples = isByteStorage(storage) ? sizes.length : (values ?? sampleBytes).length;
    return stepsFor(storage, samples, stepLimit, findLayer(storage, FaultyStorage) !== undefined);
  });
  const check = ([seed, steps]: [number, readonly Step[]]): Promise<void> => runSteps(subject, seed, steps);
  await property(fc.tuple(fc.noShrink(fc.nat()), sequences), check, runsOf(runs));
}

function runSteps(subject: ModelSubject, seed: number, steps: readonly Step[]): Promise<void> {
  return onFreshStorage(subject, seed, (context, clock) => {
    const samples = isByteStorage(context.storage) ? sizes.map((size, index) => bytesOf(size, index + 1)) : (subject.values ?? sampleBytes);
    return new ModelRun(context, clock, samples).take(steps);
  });
}
