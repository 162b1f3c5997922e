import { findLayer, isByteStorage } from "@stowage/core";
import * as fc from "fast-check";
import { describe, test } from "vitest";
import { bytesOf } from "../contract/samples.ts";
import { property } from "../contract/property.ts";
import type { ContractContext } from "../contract/promise.ts";
import type { CreateContext, StorageSubject } from "../contract/subject.ts";
import { prepare } from "../contract/subject.ts";
import { FaultyStorage } from "../faulty.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { effort, randomTestTimeout } from "./effort.ts";
import { ModelRun } from "./run.ts";
import type { Step } from "./steps.ts";
import { stepsFor } from "./steps.ts";

/** What is compared with the model: how to make a fresh storage, and what to put into it. */
export interface ModelSubject extends Omit<StorageSubject, "create"> {
  /** Makes a fresh, empty storage for one sequence of steps. */
  readonly create: (context: ModelContext) => ReturnType<StorageSubject["create"]>;
  /** Sequences of steps. @default 200, and 5,000 with `STOWAGE_EFFORT=full` */
  readonly runs?: number | undefined;
}

export interface ModelContext extends CreateContext {
  /** Belongs to the sequence: hand it to a `faulty` layer, so that the same sequence meets the same faults again. */
  readonly seed: number;
}

/** Milliseconds of real time after which a call counts as hung. */
const patience = 10_000;

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
  const { values, runs } = subject;
  const sequences = await onFreshStorage(subject, 0, async ({ storage }) => {
    const samples = isByteStorage(storage) ? sizes.length : (values?.length ?? 0);
    return stepsFor(storage, samples, effort(40, 100), findLayer(storage, FaultyStorage) !== undefined);
  });
  const check = ([seed, steps]: [number, readonly Step[]]): Promise<void> => runSteps(subject, seed, steps);
  await property(fc.tuple(fc.noShrink(fc.nat()), sequences), check, runs ?? effort(200, 5000));
}

function runSteps(subject: ModelSubject, seed: number, steps: readonly Step[]): Promise<void> {
  return onFreshStorage(subject, seed, (context, clock) => {
    const samples = isByteStorage(context.storage) ? sizes.map((size, index) => bytesOf(size, index + 1)) : subject.values;
    return new ModelRun(context, clock, samples ?? []).take(steps);
  });
}

async function onFreshStorage<T>(
  subject: ModelSubject,
  seed: number,
  work: (context: ContractContext, clock: VirtualClock) => Promise<T>,
): Promise<T> {
  let clock = new VirtualClock();
  const create = (context: CreateContext): ReturnType<StorageSubject["create"]> => {
    clock = context.clock;
    return subject.create({ ...context, seed });
  };
  const prepared = await prepare({ ...subject, create }, patience);
  try {
    return await work(prepared.context, clock);
  } finally {
    await prepared.dispose();
  }
}
