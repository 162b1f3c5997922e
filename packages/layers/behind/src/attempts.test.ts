import { VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import { Attempts } from "./attempts.ts";

/** A call that ends when it is told to, with the reason. */
const hangs = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));

test("a call is told to end when its time is up, not before, and alone", async () => {
  const clock = new VirtualClock();
  const attempts = new Attempts(1_000, clock, new AbortController().signal);
  const first = attempts.run(hangs);
  const ended = expect(first).rejects.toMatchObject({ code: "timeout", outcome: "unknown" });
  await clock.advance(900);
  const told: AbortSignal[] = [];
  const second = attempts.run(async (signal) => void told.push(signal));
  await second;
  await clock.advance(200);
  await ended;
  expect(told.map(({ aborted }) => aborted)).toEqual([false]);
});

test("when all must end, every call that runs is told why, none begins, and no timer is left", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const attempts = new Attempts(60_000, clock, stop.signal);
  const reason = new Error("closed");
  const running = [attempts.run(hangs), attempts.run(hangs)].map((call) => expect(call).rejects.toBe(reason));
  stop.abort(reason);
  await Promise.all(running);
  await expect(attempts.run(async () => expect.unreachable())).rejects.toBe(reason);
  await clock.advance(100);
  expect(clock.pending).toBe(0);
});
