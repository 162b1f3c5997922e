import type { ByteSource, Clock, ErrorCode } from "@stowage/core";
import { cancelSource, isRepeatable, StorageError, untilAborted } from "@stowage/core";
import { interruptSource, interruptStream } from "./broken-stream.ts";
import type { CallName, Invocation, StreamEntry } from "./intercepted-storage.ts";

/**
 * What goes wrong with a call:
 *
 * - `fails`: rejects before it takes effect
 * - `loses`: takes effect, but the answer is lost
 * - `throws`: throws where it should reject, before it takes effect
 * - `hangs`: gives no answer until the signal ends it
 * - `delays`: answers late
 * - `breaks`: the stream of a `read` or the source of a `write` fails in the middle
 * - `stalls`: the stream of a `read` or the source of a `write` stops in the middle, until the signal ends it
 * - `shortens`: a `list` gives fewer entries than it was asked for
 * - `repeats`: is delivered twice; the answer is that of the last delivery that succeeded
 */
export type FaultKind = "fails" | "loses" | "throws" | "hangs" | "delays" | "breaks" | "stalls" | "shortens" | "repeats";

/** A fault, ready to happen to one call. */
export interface Fault {
  readonly kind: FaultKind | "answers";
  /** Milliseconds before anything else happens; for one that `delays` with `effect`, after it. */
  readonly delay?: number | undefined;
  /** What `fails`, `loses`, `throws` and `breaks` reject with. */
  readonly error?: ((call: Invocation) => unknown) | undefined;
  /** Bytes that a stream gives before it `breaks` or `stalls`. */
  readonly after?: number | undefined;
  /** Entries on a page that `shortens`. */
  readonly limit?: number | undefined;
  /** Whether a call that `hangs` or `delays` takes effect first. */
  readonly effect?: boolean | undefined;
  /** What a call that `answers` resolves with, instead of going on. */
  readonly answer?: ((call: Invocation) => unknown) | undefined;
}

/** Whether a fault can happen to an operation: only streams break, only pages are short. */
export function canHappen(kind: FaultKind, operation: CallName): boolean {
  if (kind === "breaks" || kind === "stalls") return operation === "read" || operation === "write";
  if (kind === "shortens") return operation === "list";
  if (kind === "repeats") return operation !== "read" && operation !== "close";
  return true;
}

/** Lets a fault happen to a call. One whose signal was aborted before is refused as usual. */
export function happen<T>(fault: Fault, call: Invocation<T>, clock: Clock): Promise<T> {
  if (call.options?.signal?.aborted === true) return call.perform();
  const { kind, delay = 0, effect } = fault;
  if (delay <= 0) return happenNow(fault, call);
  const signal = call.options?.signal;
  if (kind === "delays" && effect === true) return answerLate(call, clock.sleep.bind(clock, delay, signal));
  return clock.sleep(delay, signal).then(
    () => happenNow(fault, call),
    (reason: unknown) => {
      throw abandon(call, reason);
    },
  );
}

/** The error of a fault where none is given. */
export function faultError(
  code: ErrorCode,
  message: string,
  call: Invocation,
  storage: string,
  outcome?: "none" | "unknown",
): StorageError {
  return new StorageError(code, message, { operation: call.operation, key: call.key, storage, outcome });
}

function happenNow<T>(fault: Fault, call: Invocation<T>): Promise<T> {
  switch (fault.kind) {
    case "answers":
      return answer(fault, call);
    case "fails":
      return fail(fault, call);
    case "loses":
      return call.perform().then((lost) => {
        discard(lost);
        throw errorOf(fault, call);
      });
    case "throws":
      throw abandon(call, errorOf(fault, call));
    case "hangs":
      return hang(fault, call);
    case "delays":
      return call.perform();
    case "breaks":
      return interrupt(call, fault, () => Promise.reject(errorOf(fault, call) as Error));
    case "stalls":
      return interrupt(call, fault, () => never(call.options?.signal));
    case "shortens":
      return call.perform({ limit: fault.limit ?? 1 });
    case "repeats":
      return repeat(call);
  }
}

async function answer<T>(fault: Fault, call: Invocation<T>): Promise<T> {
  abandon(call, undefined);
  return (await fault.answer?.(call)) as T;
}

async function answerLate<T>(call: Invocation<T>, wait: () => Promise<void>): Promise<T> {
  const late = await call.perform();
  try {
    await wait();
  } catch (reason) {
    discard(late);
    throw reason;
  }
  return late;
}

async function fail(fault: Fault, call: Invocation): Promise<never> {
  throw abandon(call, errorOf(fault, call));
}

async function hang<T>(fault: Fault, call: Invocation<T>): Promise<T> {
  if (fault.effect === true) discard(await call.perform());
  return await never(call.options?.signal).catch((reason: unknown) => {
    throw fault.effect === true ? reason : abandon(call, reason);
  });
}

async function interrupt<T>(call: Invocation<T>, { after = 1 }: Fault, interruption: () => Promise<never>): Promise<T> {
  if (call.operation === "write") return await call.perform({ source: interruptSource(call.input as ByteSource, after, interruption) });
  const entry = (await call.perform()) as StreamEntry | undefined;
  return (entry && { ...entry, value: interruptStream(entry.value, after, interruption) }) as T;
}

async function repeat<T>(call: Invocation<T>): Promise<T> {
  const first = await call.perform();
  if (call.operation === "write" && !isRepeatable(call.input as ByteSource)) return first;
  return await call.perform().catch(() => first);
}

function errorOf(fault: Fault, call: Invocation): unknown {
  return fault.error?.(call);
}

/** Lets go of what a call owned that is not carried out: the source of a write. Gives the reason. */
function abandon<E>(call: Invocation, reason: E): E {
  if (call.operation === "write") cancelSource(call.input as ByteSource, reason);
  return reason;
}

/** Lets go of an answer that nobody gets: the stream of a read. */
function discard(lost: unknown): void {
  if (typeof lost !== "object" || lost === null || !("value" in lost) || !(lost.value instanceof ReadableStream)) return;
  lost.value.cancel().catch(() => {});
}

/** Never settles, unless the signal ends it. */
function never(signal: AbortSignal | undefined): Promise<never> {
  return untilAborted(new Promise<never>(() => {}), signal);
}
