import assert from "node:assert/strict";
import type { Ability, AbilityName } from "./abilities.ts";
import { abilities } from "./abilities.ts";
import { describe, promptly, turn } from "./assertions.ts";
import { contract } from "./contract.ts";
import type { ContractPromise } from "./promise.ts";
import type { StorageSubject } from "./subject.ts";
import { prepare } from "./subject.ts";

export interface RunOptions {
  /** Which promises to check. @default all */
  readonly only?: ((promise: ContractPromise) => boolean) | undefined;
  /** Milliseconds of real time after which a call that should have ended counts as hung. @default 5_000 */
  readonly patience?: number | undefined;
}

/** What became of one promise. */
export interface PromiseResult {
  readonly promise: ContractPromise;
  /** `refused`: it needs an ability that the storage lacks, and the storage refuses it as it must. */
  readonly outcome: "kept" | "refused" | "broken";
  /** Why it is broken. */
  readonly error?: unknown;
}

export const defaultPatience = 5_000;

/** A promise may take so many times the patience: it makes a thousand calls, and the disk may be slow. */
const callsThatHang = 4;

/** Checks the contract without a test runner, one promise after the other. */
export async function runContract(subject: StorageSubject, options: RunOptions = {}): Promise<readonly PromiseResult[]> {
  const results: PromiseResult[] = [];
  for (const promise of contract) {
    if (options.only?.(promise) === false) continue;
    try {
      results.push({ promise, outcome: await checkPromise(promise, subject, options.patience) });
    } catch (error) {
      results.push({ promise, outcome: "broken", error });
    }
  }
  return results;
}

/** Checks one promise on a fresh storage; throws where it is broken. */
export async function checkPromise(
  promise: ContractPromise,
  subject: StorageSubject,
  patience: number = defaultPatience,
): Promise<"kept" | "refused"> {
  const unhandled = watchRejections();
  try {
    const { context, dispose } = await prepare(subject, patience);
    const absent = promise.needs.find((name) => !abilities[name].isPresent(context.storage));
    try {
      const check = absent === undefined ? promise.run(context) : refusal(absent).checkRefusal(context);
      await promptly({ patience: patience * callsThatHang }, "The promise", check);
    } finally {
      await promptly({ patience }, "close", dispose());
    }
    await turn();
    const [first] = unhandled.reasons;
    assert.ok(unhandled.reasons.length === 0, `A rejection was left unhandled: ${describe(first)}.`);
    return absent === undefined ? "kept" : "refused";
  } finally {
    unhandled.stop();
  }
}

/** Fails with every broken promise in one message. */
export function expectKept(results: readonly PromiseResult[]): void {
  const broken = results.filter((result) => result.outcome === "broken");
  const list = broken.map(({ promise, error }) => `  ${promise.section}. ${promise.name}: ${describe(error)}`);
  assert.ok(broken.length === 0, `${broken.length} of ${results.length} promises are broken:\n${list.join("\n")}`);
}

const refusal = (name: AbilityName): Ability => abilities[name];

/** Takes unhandled rejections away from everybody else, so that they count against the promise that caused them. */
function watchRejections(): { readonly reasons: readonly unknown[]; stop(): void } {
  const reasons: unknown[] = [];
  const event = "unhandledRejection";
  const others = process.listeners(event);
  const listen = (reason: unknown): void => {
    reasons.push(reason);
  };
  process.removeAllListeners(event);
  process.on(event, listen);
  return {
    reasons,
    stop() {
      process.off(event, listen);
      for (const other of others) process.on(event, other);
    },
  };
}
