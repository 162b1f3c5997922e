import type { ByteStorage, Bytes, Call, Clock, Next } from "@stowage/core";
import { AroundStorage, StorageError } from "@stowage/core";
import type { Random } from "@stowage/testing";

/** `away`: refuses at once. `cut off`: no call gets there or comes back. `shaky`: slow, late, and answers get lost. */
export type Condition = "well" | "away" | "cut off" | "shaky";

/**
 * A replica at the end of a bad line. A call that is given up by its sender may still arrive, and take effect long after
 * everybody has forgotten it: signals do not travel.
 */
export class Place extends AroundStorage<Bytes> {
  readonly name = "place";
  condition: Condition = "well";
  readonly #random: Random;
  readonly #line: Clock;
  readonly #latest: number;

  /** @param latest milliseconds that a call, or its answer, is late at the most */
  constructor(inner: ByteStorage, line: Clock, random: Random, latest: number) {
    super(inner);
    this.#line = line;
    this.#latest = latest;
    this.#random = random;
  }

  protected override async around<T>(call: Call, next: Next<T>): Promise<T> {
    const fate = this.#random.next();
    const delay = this.#random.below(this.#latest);
    if (this.condition === "away") throw failure(call, "none");
    if (this.condition === "cut off") return await this.#forever(call);
    const arrive = (): Promise<T> => next(new AbortController().signal);
    if (this.condition === "well") return await arrive();
    if (fate < 0.15) throw failure(call, "none");
    if (fate < 0.45) await this.#line.sleep(delay);
    const answer = await arrive();
    if (fate >= 0.3 && fate < 0.6) await this.#line.sleep(delay);
    if (fate >= 0.6 && fate < 0.7) throw failure(call, "unknown");
    if (fate >= 0.7 && fate < 0.8) return await this.#forever(call);
    return answer;
  }

  #forever(call: Call): Promise<never> {
    return new Promise((_, reject) => {
      const { signal } = call.options ?? {};
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  }
}

function failure({ operation, key }: Call, outcome: "none" | "unknown"): StorageError {
  return new StorageError("unavailable", "The line broke.", { operation, key, outcome, storage: "place" });
}
