import type { Storage } from "@stowage/core";
import { findLayer, isByteStorage } from "@stowage/core";
import { describe, test } from "vitest";
import { text } from "../contract/samples.ts";
import { freshSeed, Random } from "../faults/random.ts";
import { FaultyStorage } from "../faulty.ts";
import { drive } from "./calls.ts";
import { randomTestTimeout, runsOf } from "./effort.ts";
import type { ModelSubject } from "./fresh-storage.ts";
import { onFreshStorage } from "./fresh-storage.ts";
import { HistoryRecorder } from "./history.ts";
import { firstContradiction, showHistory } from "./linearizability.ts";

/** Whose concurrent calls are checked: how to make a fresh storage, and what to put into it. */
export interface LinearizableSubject extends Omit<ModelSubject, "values" | "runs"> {
  /** A value for each number, all different. @default bytes, or `{ number }` where the storage holds other values */
  readonly value?: ((number: number) => unknown) | undefined;
  /** Histories; twenty times as many with `STOWAGE_EFFORT=full`. @default 50 */
  readonly runs?: number | undefined;
  /** Clients that call at once. @default 4 */
  readonly clients?: number | undefined;
  /** Calls of each client. @default 10 */
  readonly calls?: number | undefined;
}

const keys = ["a", "b"];

/**
 * Registers a test that lets clients call a storage at once, and looks for one order of their calls on each key in which
 * every answer is right: each at a moment between its start and its end. A failure shows the calls that contradict each
 * other, and the seed: set `STOWAGE_SEED` to it to run the same calls again.
 *
 * In memory, calls only overlap where something is late: put `faulty({ seed, clock, kinds: ["delays"], rate: 0.5 })`
 * under what is to be tested. Where `capabilities.shared` is true, the clients use two storages over the same data.
 */
export function describeLinearizable(name: string, subject: LinearizableSubject): void {
  describe(name, () => {
    test("answers concurrent clients as if each key were changed one call at a time", () => checkLinearizable(subject), randomTestTimeout);
  });
}

/** The same without a test runner. Throws where no order of the calls explains the answers. */
export async function checkLinearizable(subject: LinearizableSubject): Promise<void> {
  const given = Number(process.env["STOWAGE_SEED"] ?? Number.NaN);
  if (Number.isInteger(given)) return await checkHistory(subject, given);
  const first = freshSeed();
  for (let run = 0; run < runsOf(subject.runs ?? 50); run++) await checkHistory(subject, first + run);
}

function checkHistory(subject: LinearizableSubject, seed: number): Promise<void> {
  const { clients = 4, calls = 10 } = subject;
  return onFreshStorage(subject, seed, async (context, clock) => {
    const { storage } = context;
    const storages: Storage<unknown>[] = storage.capabilities.shared ? [storage, await context.reopen()] : [storage];
    const value = subject.value ?? (isByteStorage(storage) ? bytesFor : objectFor);
    const recorder = new HistoryRecorder({ storages, clients, calls, keys, value, random: new Random(seed) });
    const isLate = findLayer(storage, FaultyStorage) !== undefined;
    const recording = recorder.record().catch((error: unknown) => {
      throw new Error(`With the seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
    const histories = await (isLate ? drive(recording, clock, context.patience) : recording);
    for (const [key, history] of histories) {
      const contradiction = firstContradiction(history);
      if (contradiction === undefined) continue;
      throw new Error(
        `With the seed ${seed}, no order of these calls on ${JSON.stringify(key)} explains the last answer:\n${showHistory(contradiction)}`,
      );
    }
  });
}

/** Bytes that begin with their number and go on for long enough to be torn. */
const bytesFor = (number: number): unknown => text(`value ${number} `.repeat(100));
const objectFor = (number: number): unknown => ({ number });
