import type { Clock, OperationName } from "@stowage/core";
import type { Missed } from "./outcomes.ts";
import { noAnswer } from "./outcomes.ts";
import type { Replica } from "./replica.ts";
import { mayAskAnother, ReplicaCall } from "./replica-call.ts";

/** How replicas are asked. */
export interface Manner {
  readonly replicas: readonly Replica[];
  /** Milliseconds after which the next replica is asked too; Infinity: only where one failed. */
  readonly hedgeDelay: number;
  /** Whether a replica that has nothing is not taken at its word. */
  readonly passMissing: boolean;
  readonly timer: Clock;
  readonly stats: { fallbacks: number; hedges: number };
}

/** A read, for whichever replica it is sent to. */
export interface Question<T> {
  readonly operation: OperationName;
  readonly key: string | undefined;
  readonly send: (replica: Replica, signal: AbortSignal | undefined) => Promise<T | undefined>;
  readonly signal: AbortSignal | undefined;
  /** Frees an answer that nobody wants. */
  readonly discard?: ((answer: T) => void) | undefined;
}

/** What a replica answered, and who said before that there is nothing. */
export interface Answer<T> {
  readonly found: T | undefined;
  /** Who found it. */
  readonly replica: Replica;
  readonly without: readonly Replica[];
}

/** Asks one replica after the other until one answers; after `hedgeDelay` the next one too, and then the first answer counts. */
export function ask<T>(question: Question<T>, manner: Manner): Promise<Answer<T>> {
  return new Promise((resolve, reject) => new Asking(question, manner, resolve, reject).next());
}

/** The answer alone, where it does not matter who gave it. */
export function askForOne<T>(question: Question<T>, manner: Manner): Promise<T | undefined> {
  return new Promise((resolve, reject) => new Asking(question, manner, ({ found }) => resolve(found), reject).next());
}

class Asking<T> {
  readonly #question: Question<T>;
  readonly #manner: Manner;
  readonly #resolve: (answer: Answer<T>) => void;
  readonly #reject: (error: unknown) => void;
  readonly #missed: Missed[] = [];
  readonly #without: Replica[] = [];
  /** Ends the others when one has answered, and the wait before the next is asked. */
  readonly #done: AbortController | undefined;
  #asked = 0;
  #running = 0;
  #over = false;

  constructor(question: Question<T>, manner: Manner, resolve: (answer: Answer<T>) => void, reject: (error: unknown) => void) {
    this.#question = question;
    this.#manner = manner;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#done = manner.hedgeDelay === Infinity ? undefined : new AbortController();
  }

  /** Asks the next replica; one that is left alone fails at once. */
  next(): void {
    const { replicas, hedgeDelay } = this.#manner;
    const replica = replicas[this.#asked++];
    if (replica === undefined) return this.#settleWhereNobodyIsLeft();
    this.#running++;
    const { send, operation } = this.#question;
    const sent = replica.begin(new Asked(this, replica, operation), (signal) => send(replica, signal), this.#signalOf(replica));
    if (sent && hedgeDelay !== Infinity && this.#asked < replicas.length) this.#hedge(hedgeDelay);
  }

  answered(replica: Replica, found: T | undefined): void {
    this.#running--;
    if (this.#over) {
      if (found !== undefined) this.#question.discard?.(found);
      return;
    }
    if (found === undefined && this.#manner.passMissing) {
      this.#without.push(replica);
      return this.#goOn();
    }
    this.#over = true;
    this.#winner = replica;
    this.#done?.abort();
    this.#resolve({ found, replica, without: this.#without });
  }

  failed(replica: Replica, error: unknown): void {
    this.#running--;
    if (this.#over) return;
    const { signal } = this.#question;
    if (signal?.aborted === true) return this.#end(signal.reason);
    if (!mayAskAnother(error)) return this.#end(error);
    this.#missed.push({ replica, error });
    this.#goOn();
  }

  #winner: Replica | undefined;

  /** A stream lives on after the others were told to stop, so each replica has a signal of its own where several are asked. */
  #signalOf(replica: Replica): AbortSignal | undefined {
    const { signal } = this.#question;
    if (this.#done === undefined) return signal;
    const own = new AbortController();
    this.#done.signal.addEventListener("abort", () => this.#winner !== replica && own.abort(), { once: true });
    return signal === undefined ? own.signal : AbortSignal.any([signal, own.signal]);
  }

  #goOn(): void {
    if (this.#asked < this.#manner.replicas.length) {
      if (this.#missed.length > 0) this.#manner.stats.fallbacks++;
      this.next();
    } else this.#settleWhereNobodyIsLeft();
  }

  /** Missing is what every replica says; where one could not be asked, nobody knows. */
  #settleWhereNobodyIsLeft(): void {
    if (this.#running > 0 || this.#over) return;
    const [first] = this.#without;
    if (first === undefined || this.#missed.length > 0) {
      const { operation, key } = this.#question;
      return this.#end(noAnswer(operation, key, this.#missed));
    }
    this.#over = true;
    this.#done?.abort();
    this.#resolve({ found: undefined, replica: first, without: this.#without });
  }

  #end(error: unknown): void {
    this.#over = true;
    this.#done?.abort();
    this.#reject(error);
  }

  #hedge(delay: number): void {
    const asked = this.#asked;
    this.#manner.timer.sleep(delay, this.#done?.signal).then(
      () => {
        if (this.#over || this.#asked !== asked) return;
        this.#manner.stats.hedges++;
        this.next();
      },
      () => {},
    );
  }
}

class Asked<T> extends ReplicaCall<T | undefined> {
  readonly #asking: Asking<T>;

  constructor(asking: Asking<T>, replica: Replica, operation: OperationName) {
    super(replica, operation);
    this.#asking = asking;
  }

  protected override succeeded(answer: T | undefined): void {
    this.#asking.answered(this.replica, answer);
  }

  override fail(error: unknown): void {
    this.#asking.failed(this.replica, error);
  }
}
