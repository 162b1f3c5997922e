import type { Bytes, Entry, EntryInfo, ErrorCode, Page } from "@stowage/core";
import { copyValue } from "@stowage/core";
import type { Fault, FaultKind } from "./fault.ts";
import { canHappen, faultError } from "./fault.ts";
import type { CallName, Invocation } from "./intercepted-storage.ts";

/** How often, when and how late a scripted answer is given. */
export interface Timing {
  /** Calls that it answers, after which the next script in line is asked. @default every one */
  readonly times?: number | undefined;
  /** Calls that go by before the first one that it answers. @default 0 */
  readonly after?: number | undefined;
  /** Milliseconds by the clock before it happens. @default 0 */
  readonly delay?: number | undefined;
}

/** Where a stream stops in the middle. */
export interface StreamTiming extends Timing {
  /** Bytes that get through first; all where there are fewer. @default 1 */
  readonly bytes?: number | undefined;
}

/** An error; the code of a `StorageError` to make; or a function that makes anything, also what is no error. */
export type Failing = ErrorCode | Error | (() => unknown);

/** Which calls are meant: those that name a key, or those for which a function says so. */
export type Where = string | ((call: ScriptedCall) => boolean);

/** A call as a script sees it. */
export type ScriptedCall = Pick<Invocation, "operation" | "key" | "keys" | "input" | "options">;

/** What each operation answers. */
export interface Answers<V> {
  readonly get: V | undefined;
  readonly getEntry: Entry<V> | undefined;
  readonly getEntries: (Entry<V> | undefined)[];
  readonly head: EntryInfo | undefined;
  readonly has: boolean;
  readonly list: Page;
  readonly put: EntryInfo;
  readonly delete: void;
  readonly batch: void;
  readonly clear: void;
  readonly flush: void;
  readonly read: Entry<ReadableStream<Bytes>> | undefined;
  readonly write: EntryInfo;
  readonly close: void;
}

/**
 * What happens to certain calls. Each line adds one answer; they are asked in the order in which they were added, the
 * first that is not used up happens, and calls that none wants are carried out as usual.
 *
 * ```ts
 * mock.on("get", "user:1").fails("unavailable", { times: 2 }).returns({ name: "Ada" });
 * ```
 */
export class Script<Answer = unknown> {
  readonly #owner: Scripts;
  readonly #operations: readonly CallName[] | undefined;
  readonly #where: Where | undefined;

  constructor(owner: Scripts, operations: readonly CallName[] | undefined, where: Where | undefined) {
    this.#owner = owner;
    this.#operations = operations;
    this.#where = where;
  }

  /** Answers with a copy of this value; a stream cannot be copied, so for it use `answers`. Nothing is read or stored. */
  returns(answer: Answer, timing?: Timing): this {
    const kept = copyValue(answer);
    return this.#add({ kind: "answers", answer: () => copyValue(kept) }, timing);
  }

  /** Answers with what the function gives. Nothing is read or stored. */
  answers(answer: (call: ScriptedCall) => Answer | Promise<Answer>, timing?: Timing): this {
    return this.#add({ kind: "answers", answer }, timing);
  }

  /** Rejects before it takes effect. @default error "unavailable" */
  fails(error: Failing = "unavailable", timing?: Timing): this {
    return this.#add({ kind: "fails", error: this.#failing(error, "fails before it takes effect") }, timing);
  }

  /** Takes effect, but the answer is lost: rejects, with `outcome: "unknown"` where the error is made from a code. */
  loses(error: Failing = "unavailable", timing?: Timing): this {
    return this.#add({ kind: "loses", error: this.#failing(error, "lost its answer", "unknown") }, timing);
  }

  /** Throws where it should reject, as no storage may. */
  throws(error: Failing = "internal", timing?: Timing): this {
    return this.#add({ kind: "throws", error: this.#failing(error, "throws instead of rejecting") }, timing);
  }

  /** Gives no answer until the signal ends it; with `effect`, after it took effect. */
  hangs(timing?: Timing & { readonly effect?: boolean | undefined }): this {
    return this.#add({ kind: "hangs", effect: timing?.effect }, timing);
  }

  /** Is this many milliseconds late, by the clock; with `effect`, it takes effect at once, and only the answer is late. */
  delays(duration: number, timing?: Omit<Timing, "delay"> & { readonly effect?: boolean | undefined }): this {
    return this.#add({ kind: "delays", effect: timing?.effect }, { ...timing, delay: duration });
  }

  /** The stream of a `read`, or the source of a `write`, fails in the middle. */
  breaks(error: Failing = "unavailable", timing?: StreamTiming): this {
    return this.#add({ kind: "breaks", error: this.#failing(error, "breaks in the middle"), after: timing?.bytes }, timing);
  }

  /** The stream of a `read`, or the source of a `write`, stops in the middle until the signal ends it. */
  stalls(timing?: StreamTiming): this {
    return this.#add({ kind: "stalls", after: timing?.bytes }, timing);
  }

  /** A `list` gives at most this many entries, and a cursor for the rest. */
  shortens(limit: number, timing?: Timing): this {
    return this.#add({ kind: "shortens", limit }, timing);
  }

  /** Is delivered twice. */
  repeats(timing?: Timing): this {
    return this.#add({ kind: "repeats" }, timing);
  }

  #add(fault: Fault, { times = Number.POSITIVE_INFINITY, after = 0, delay }: Timing = {}): this {
    for (const operation of this.#operations ?? []) {
      if (fault.kind !== "answers" && !canHappen(fault.kind, operation)) throw new Error(cannotHappen(fault.kind, operation));
    }
    this.#owner.add({ fault: { ...fault, delay }, operations: this.#operations, where: this.#where, skip: after, times, used: 0 });
    return this;
  }

  #failing(error: Failing, what: string, outcome?: "unknown"): (call: Invocation) => unknown {
    if (typeof error === "function") return error;
    if (typeof error !== "string") return () => error;
    return (call) => faultError(error, `Scripted: ${call.operation} ${what}.`, call, this.#owner.storage, outcome);
  }
}

/** The scripts of one storage, in their order. */
export class Scripts {
  /** Name of the storage, for errors. */
  readonly storage: string;
  #lines: Line[] = [];

  constructor(storage: string) {
    this.storage = storage;
  }

  add(line: Line): void {
    this.#lines.push(line);
  }

  /** The fault that is to happen to a call, which thereby is used once. */
  take(call: Invocation): Fault | undefined {
    for (const line of this.#lines) {
      if (line.used === line.times || !wants(line, call)) continue;
      if (line.skip > 0) {
        line.skip--;
        continue;
      }
      line.used++;
      return line.fault;
    }
    return undefined;
  }

  /** In words, what was scripted for calls that never came. */
  unused(): string[] {
    return this.#lines
      .filter(({ used, times }) => used === 0 || (times !== Number.POSITIVE_INFINITY && used < times))
      .map(({ operations, where, fault, used, times }) => {
        const what = [operations?.join(", ") ?? "any call", typeof where === "string" ? JSON.stringify(where) : where && "where(...)"];
        const how = used === 0 ? "never came" : `came ${used} of ${times} times`;
        return `${what.filter(Boolean).join(" ")} ${fault.kind}: ${how}`;
      });
  }

  clear(): void {
    this.#lines = [];
  }
}

/** One scripted answer. */
interface Line {
  readonly fault: Fault;
  readonly operations: readonly CallName[] | undefined;
  readonly where: Where | undefined;
  readonly times: number;
  skip: number;
  used: number;
}

function wants({ operations, where, fault }: Line, call: Invocation): boolean {
  if (operations !== undefined && !operations.includes(call.operation)) return false;
  if (operations === undefined && !wantsAny(fault, call.operation)) return false;
  return isMeant(where, call);
}

/** Whether a call is among those that are meant. */
export function isMeant(where: Where | undefined, call: ScriptedCall): boolean {
  if (where === undefined) return true;
  return typeof where === "string" ? call.keys.includes(where) : where(call);
}

/** What is said of any call is said of those to which it can happen, and not of the end. */
function wantsAny({ kind }: Fault, operation: CallName): boolean {
  return operation !== "close" && (kind === "answers" || canHappen(kind, operation));
}

function cannotHappen(kind: FaultKind, operation: CallName): string {
  if (kind === "shortens") return `Only a list can be shortened, not ${operation}.`;
  if (kind === "repeats") return `${operation} cannot be delivered twice.`;
  return `Only read and write have a stream in the middle of which something ${kind}, not ${operation}.`;
}
