import assert from "node:assert/strict";
import { StorageError } from "@stowage/core";
import { call, describe } from "./assertions.ts";

/** How many call at once in a race. */
export const contenders = 16;

/** Starts all calls at once and gives the index of the one that won; all others must lose by their condition. */
export async function oneWinner(start: (index: number) => Promise<unknown>, count: number = contenders): Promise<number> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, (_, index) => call(() => start(index))));
  const winners: number[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === "fulfilled") winners.push(index);
    else assert.ok(lost(outcome.reason), `Who loses a race must get "precondition-failed", got ${describe(outcome.reason)}.`);
  }
  assert.equal(winners.length, 1, `Exactly one of ${count} must win, but ${winners.length} did.`);
  return winners[0] as number;
}

const lost = (error: unknown): boolean => StorageError.is(error, "precondition-failed") || StorageError.is(error, "conflict");
