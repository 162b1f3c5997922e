import { describe, expect, test } from "vitest";
import { Random } from "../faults/random.ts";
import type { Action, HistoryCall } from "./linearizability.ts";
import { firstContradiction, isLinearizable, showHistory } from "./linearizability.ts";

const read = (found?: number): Action => ({ type: "read", found });
const write = (value?: number): Action => ({ type: "write", value });
const swap = (from: number | undefined, value: number, refused = false): Action => ({
  type: "write",
  value,
  condition: { value: from },
  refused,
});
const call = (start: number, end: number, action: Action, client = 1): HistoryCall => ({ client, start, end, action });
const never = Number.POSITIVE_INFINITY;

describe("isLinearizable", () => {
  test.each<[string, HistoryCall[]]>([
    ["of no calls", []],
    ["of a read of what was written", [call(1, 2, write(1)), call(3, 4, read(1))]],
    ["where a read during a write sees the old value or the new", [call(1, 6, write(1)), call(2, 3, read()), call(4, 5, read(1))]],
    ["where writes that overlap took effect in the other order", [call(1, 4, write(1)), call(2, 3, write(2)), call(5, 6, read(1))]],
    ["where one of two swaps won", [call(1, 3, swap(undefined, 1)), call(2, 4, swap(undefined, 2, true)), call(5, 6, read(1))]],
    ["where an unknown write took effect late", [call(1, never, write(1)), call(2, 3, read()), call(4, 5, read(1))]],
    ["where an unknown write never took effect", [call(1, never, write(1)), call(2, 3, read()), call(4, 5, read())]],
    ["where an unknown swap could not take effect", [call(1, never, swap(7, 1)), call(2, 3, read())]],
    [
      "where has saw what came and went",
      [call(1, 6, write(1)), call(2, 3, { type: "has", found: true }), call(7, 8, write()), call(9, 10, { type: "has", found: false })],
    ],
  ])("believes a history %s", (_, calls) => {
    expect(isLinearizable(calls)).toBe(true);
    expect(firstContradiction(calls)).toBe(undefined);
  });

  test.each<[string, HistoryCall[]]>([
    ["where a read gives what nobody wrote", [call(1, 2, read(1))]],
    ["where a read is stale", [call(1, 2, write(1)), call(3, 4, write(2)), call(5, 6, read(1))]],
    ["where a later read is older", [call(1, 8, write(1)), call(2, 3, read(1)), call(4, 5, read())]],
    ["where two swaps from the same value won", [call(1, 3, swap(undefined, 1)), call(2, 4, swap(undefined, 2))]],
    ["where a swap was refused though it held", [call(1, 2, swap(undefined, 1, true))]],
    ["where a lost write comes back", [call(1, never, write(1)), call(2, 3, read(1)), call(4, 5, write(2)), call(6, 7, read(1))]],
    ["where has contradicts a read", [call(1, 2, write(1)), call(3, 4, { type: "has", found: false })]],
  ])("does not believe a history %s", (_, calls) => {
    expect(isLinearizable(calls)).toBe(false);
    expect(firstContradiction(calls)).not.toBe(undefined);
  });

  test("starts from what was there before", () => {
    expect(isLinearizable([call(1, 2, read(9))], 9)).toBe(true);
    expect(isLinearizable([call(1, 2, read())], 9)).toBe(false);
  });

  test("agrees with trying every order, on random short histories", () => {
    const seed = 20_260_101;
    const random = new Random(seed);
    const verdicts = { yes: 0, no: 0 };
    for (let round = 0; round < 3000; round++) {
      const calls = randomHistory(random);
      const expected = orders(calls).some((order) => isRight(order));
      expect(isLinearizable(calls), `seed ${seed}, round ${round}:\n${showHistory(calls)}`).toBe(expected);
      verdicts[expected ? "yes" : "no"]++;
    }
    expect(Math.min(verdicts.yes, verdicts.no)).toBeGreaterThan(300);
  });

  test("is done with a long history of many clients in no time", () => {
    const calls = Array.from({ length: 60 }, (_, index) =>
      call(index, index + 8.5, index % 2 === 0 ? write(index) : read(index - 1), index % 8),
    );
    expect(isLinearizable(calls)).toBe(true);
  });
});

describe("firstContradiction", () => {
  test("ends with the answer that cannot be right", () => {
    const stale = call(5, 6, read(1), 2);
    const history = [call(1, 2, write(1)), call(3, 4, write(2)), stale, call(7, 8, read(2))];
    const found = firstContradiction(history)!;
    expect(found.at(-1)).toBe(stale);
    expect(found).toHaveLength(3);
    expect(showHistory(found)).toBe(
      ["  client 1 from 1 to 2: write of value 1", "  client 1 from 3 to 4: write of value 2", "  client 2 from 5 to 6: read value 1"].join(
        "\n",
      ),
    );
  });
});

/** Up to five calls that overlap at random, some with answers that cannot be right. */
function randomHistory(random: Random): HistoryCall[] {
  const times = Array.from({ length: 10 }, (_, index) => ({ index, at: random.next() })).sort((a, b) => a.at - b.at);
  const count = 2 + random.below(4);
  return Array.from({ length: count }, (_, index) => {
    const [a, b] = [times[index * 2]!.index, times[index * 2 + 1]!.index];
    const actions = [
      read(random.below(3) || undefined),
      write(1 + random.below(2)),
      write(),
      swap(random.below(3) || undefined, 2, random.next() < 0.5),
    ];
    const end = random.next() < 0.15 ? never : Math.max(a, b);
    return call(Math.min(a, b), end, actions[random.below(actions.length)]!, index);
  });
}

/** Every order of every choice of calls that leaves out only unknown ones, and keeps what ended before it started before it. */
function orders(calls: readonly HistoryCall[]): (readonly HistoryCall[])[] {
  const found: (readonly HistoryCall[])[] = calls.every(({ end }) => end === never) ? [[]] : [];
  for (const first of calls) {
    const rest = calls.filter((other) => other !== first);
    if (rest.some((other) => other.end < first.start)) continue;
    for (const order of orders(rest)) found.push([first, ...order]);
  }
  return found;
}

/** Whether every answer is right when the calls happen one after the other. */
function isRight(order: readonly HistoryCall[]): boolean {
  let state: number | undefined;
  for (const { action } of order) {
    if (action.type === "read" && action.found !== state) return false;
    if (action.type === "has" && action.found !== (state !== undefined)) return false;
    if (action.type !== "write") continue;
    const holds = action.condition === undefined || action.condition.value === state;
    if (holds === (action.refused === true)) return false;
    if (action.refused !== true) state = action.value;
  }
  return true;
}
