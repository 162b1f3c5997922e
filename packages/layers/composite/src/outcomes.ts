import type { Failure, OperationName } from "@stowage/core";
import { StorageError } from "@stowage/core";
import type { Replica } from "./replica.ts";
import { mayAskAnother } from "./replica-call.ts";

/** A replica that a call did not succeed on, and why. */
export interface Missed {
  readonly replica: Replica;
  readonly error: unknown;
}

/** What was asked for, and of how many replicas. */
export interface Demand {
  /** Whether it may have written something. */
  readonly step: "ask" | "write";
  readonly operation: OperationName;
  readonly key: string;
  readonly replicas: readonly Replica[];
  readonly needed: number;
}

/**
 * The first answers of so many replicas. As soon as they cannot come any more, and all replicas have ended, it rejects with
 * what became of each.
 */
export function gather<T>(demand: Demand, attempts: readonly Promise<T>[], onHopeless?: () => void): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const answers: T[] = [];
    const missed: Missed[] = [];
    const spare = attempts.length - demand.needed;
    const fail = (replica: Replica, error: unknown): void => {
      missed.push({ replica, error });
      if (missed.length === spare + 1) onHopeless?.();
      if (missed.length > spare && missed.length + answers.length === attempts.length) reject(tooFew(demand, answers.length, missed));
    };
    for (const [index, attempt] of attempts.entries()) {
      attempt.then(
        (answer) => {
          answers.push(answer);
          if (answers.length === demand.needed) resolve(answers);
          else if (missed.length > spare && missed.length + answers.length === attempts.length)
            reject(tooFew(demand, answers.length, missed));
        },
        (error: unknown) => fail(demand.replicas[index]!, error),
      );
    }
  });
}

/**
 * A write that reached fewer replicas than were asked for. Where none was reached and all refuse for one reason, which is
 * then the fault of the call, it is that.
 */
function tooFew({ step, operation, key, replicas, needed }: Demand, reached: number, missed: readonly Missed[]): unknown {
  const own = missed.filter(({ error }) => !(error instanceof GivenUp)).toSorted((a, b) => a.replica.index - b.replica.index);
  const [first] = own;
  if (first !== undefined && reached === 0 && own.every(({ error }) => isRefusal(error) && codeOf(error) === codeOf(first.error)))
    return first.error;
  const did = step === "ask" ? `The ${operation} could ask` : `The ${operation} reached`;
  const unsure = missed.some(({ error }) => !StorageError.is(error) || error.outcome === "unknown");
  return new StorageError("partial", `${did} ${reached} of ${replicas.length} replicas, and ${needed} are needed: ${listOf(missed)}.`, {
    operation,
    key,
    storage: "composite",
    failures: failuresOf(key, missed),
    retryable: own.every(({ error }) => StorageError.is(error) && error.retryable),
    outcome: step === "write" && (reached > 0 || unsure) ? "unknown" : "none",
    cause: first?.error,
  });
}

/** What a replica is told when its part of a write is no longer wanted, because too few others are left. */
export class GivenUp extends StorageError {
  constructor(operation: OperationName) {
    super("unavailable", "The write was given up, because too few replicas were left for it.", {
      operation,
      storage: "composite",
      outcome: "unknown",
    });
  }
}

/** A read that nobody could answer: with the code of the first replica whose failure may pass, else of the first. */
export function noAnswer(operation: OperationName, key: string | undefined, missed: readonly Missed[], needed = 1): unknown {
  const first = missed.find(({ error }) => StorageError.is(error) && error.retryable) ?? missed[0];
  if (first === undefined || missed.length === 1 || !StorageError.is(first.error)) return first?.error;
  const wanted = needed === 1 ? "No replica" : `Fewer than ${needed} replicas`;
  return new StorageError(first.error.code, `${wanted} could answer: ${listOf(missed)}.`, {
    operation,
    key,
    storage: "composite",
    failures: failuresOf(key ?? "", missed),
    retryable: first.error.retryable,
    cause: first.error,
  });
}

const listOf = (missed: readonly Missed[]): string =>
  missed.map(({ replica, error }) => `"${replica.name}" failed with ${codeOf(error)}`).join(", ");

/** What became of each replica, under its position. */
function failuresOf(key: string, missed: readonly Missed[]): Failure[] {
  return missed.map(({ replica, error }) => ({ index: replica.index, key, error })).toSorted((a, b) => a.index - b.index);
}

/** Nothing was done, and nothing would be by another attempt. */
function isRefusal(error: unknown): boolean {
  return StorageError.is(error) && error.outcome === "none" && !mayAskAnother(error);
}

function codeOf(error: unknown): string {
  return StorageError.is(error) ? error.code : "an error that is none of a storage";
}
