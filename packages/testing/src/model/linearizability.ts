/** What one call did to one key, or saw of it. Values are numbers, a different one for each write; `undefined` is nothing there. */
export type Action =
  | { readonly type: "read"; readonly found: number | undefined }
  | { readonly type: "has"; readonly found: boolean }
  | { readonly type: "write"; readonly value: number | undefined; readonly condition?: Expected; readonly refused?: boolean };

/** What has to be there for a conditional write. */
export interface Expected {
  readonly value: number | undefined;
}

/** One call on one key. Times are any numbers that grow; no two are the same. */
export interface HistoryCall {
  readonly client: number;
  readonly start: number;
  /** `Infinity` where nobody knows whether it took effect: it may do so at any time, or never. */
  readonly end: number;
  readonly action: Action;
}

/**
 * Whether there is one order of all calls on a key, each at a moment between its start and its end, in which every
 * answer is right: whether the key behaved as if there were one copy of it and calls happened one after the other.
 *
 * The search of Wing and Gong: of the calls that started before any other one ended, one must have come first. What was
 * tried in vain is remembered, by the set of calls and the state that they led to.
 */
export function isLinearizable(calls: readonly HistoryCall[], initial?: number): boolean {
  const sorted = calls.toSorted((a, b) => a.start - b.start);
  const inVain = new Set<string>();

  const search = (done: bigint, state: number | undefined): boolean => {
    const firstEnd = sorted.reduce((end, call, index) => (isIn(done, index) ? end : Math.min(end, call.end)), Number.POSITIVE_INFINITY);
    if (firstEnd === Number.POSITIVE_INFINITY) return true;
    const memory = `${done} ${state}`;
    if (inVain.has(memory)) return false;
    for (const [index, call] of sorted.entries()) {
      if (call.start > firstEnd) break;
      if (isIn(done, index)) continue;
      const next = step(state, call.action);
      if (next !== impossible && search(done | (1n << BigInt(index)), next)) return true;
    }
    inVain.add(memory);
    return false;
  };

  return search(0n, initial);
}

/** The calls up to the first answer that cannot be right, that one last; `undefined` where all can. */
export function firstContradiction(calls: readonly HistoryCall[], initial?: number): readonly HistoryCall[] | undefined {
  if (isLinearizable(calls, initial)) return undefined;
  const answered = calls.filter(({ end }) => end !== Number.POSITIVE_INFINITY).toSorted((a, b) => a.end - b.end);
  for (const last of answered) {
    const known = calls.flatMap((call) => callAsOf(call, last.end));
    if (!isLinearizable(known, initial)) return [...known.filter((call) => call !== last), last];
  }
  return calls;
}

/** What is known of a call at a time: of one that runs, that it may write; of what it reads, nothing. */
function callAsOf(call: HistoryCall, time: number): readonly HistoryCall[] {
  if (call.end <= time) return [call];
  return call.start < time && call.action.type === "write" ? [{ ...call, end: Number.POSITIVE_INFINITY }] : [];
}

/** A history for people, one line for each call. */
export function showHistory(calls: readonly HistoryCall[]): string {
  return calls
    .map(({ client, start, end, action }) => {
      const time = end === Number.POSITIVE_INFINITY ? `from ${start} on, outcome unknown` : `from ${start} to ${end}`;
      return `  client ${client} ${time}: ${showAction(action)}`;
    })
    .join("\n");
}

const impossible: unique symbol = Symbol("impossible");

/** What is there after an action, or that it cannot have happened then. */
function step(state: number | undefined, action: Action): number | undefined | typeof impossible {
  switch (action.type) {
    case "read":
      return action.found === state ? state : impossible;
    case "has":
      return action.found === (state !== undefined) ? state : impossible;
    case "write": {
      const holds = action.condition === undefined || action.condition.value === state;
      if (action.refused === true) return holds ? impossible : state;
      return holds ? action.value : impossible;
    }
  }
}

const isIn = (set: bigint, index: number): boolean => (set & (1n << BigInt(index))) !== 0n;

function showAction(action: Action): string {
  if (action.type === "has") return `has gave ${action.found}`;
  if (action.type === "read") return `read ${showValue(action.found)}`;
  const condition = action.condition === undefined ? "" : ` over ${showValue(action.condition.value)}`;
  const outcome = action.refused === true ? ", refused" : "";
  return `${action.value === undefined ? "delete" : `write of value ${action.value}`}${condition}${outcome}`;
}

const showValue = (value: number | undefined): string => (value === undefined ? "nothing" : `value ${value}`);
