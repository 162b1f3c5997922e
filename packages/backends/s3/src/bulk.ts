import type { BatchOptions, Bytes, CallOptions, ClearOptions, Failure, Operation } from "@stowage/core";
import { checkKey, forEachConcurrently, partial } from "@stowage/core";
import type { CallName } from "./errors.ts";
import { storageName, translate } from "./errors.ts";
import type { Settings } from "./settings.ts";
import { badAnswer, S3Failure } from "./transport.ts";

/** Keys that S3 deletes in one request at the most. */
const chunkSize = 1000;
/** Requests that delete at once. */
const inFlight = 4;
/** Deletes at once where the service knows no bulk ones. */
const singlesInFlight = 16;

/** A key with its position in what was handed in. */
interface Doomed {
  readonly key: string;
  readonly index: number;
}

/** Deletes many keys at once. */
export class Bulk {
  readonly #settings: Settings;
  /** Some services know no bulk deletes. */
  #isUnsupported = false;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Deletes everything under a prefix, page by page. */
  async clear({ prefix = "", signal }: ClearOptions = {}): Promise<void> {
    const failures: Failure[] = [];
    let total = 0;
    await forEachConcurrently(this.#pages(prefix, signal), inFlight, async (keys) => {
      const page = keys.map((key, index) => ({ key, index: total + index }));
      total += keys.length;
      failures.push(...(await this.#delete(page, "clear", { signal })));
    });
    if (failures.length > 0) throw partial("clear", storageName, failures, total);
  }

  /** Deletes these, and gives those that failed. */
  async deleteAll(doomed: readonly Doomed[], options: CallOptions = {}): Promise<readonly Failure[]> {
    const failures: Failure[] = [];
    const chunks = Array.from({ length: Math.ceil(doomed.length / chunkSize) }, (_, chunk) =>
      doomed.slice(chunk * chunkSize, (chunk + 1) * chunkSize),
    );
    await forEachConcurrently(chunks, inFlight, async (chunk) => {
      failures.push(...(await this.#delete(chunk, "batch", options)));
    });
    return failures;
  }

  async #delete(doomed: readonly Doomed[], operation: CallName, { signal }: CallOptions): Promise<readonly Failure[]> {
    if (this.#isUnsupported) return await this.#deleteEach(doomed, operation, signal);
    const { transport, prefix } = this.#settings;
    try {
      const failed = await transport.deleteMany(
        doomed.map(({ key }) => prefix + key),
        signal,
      );
      if (failed.length === 0) return [];
      const byKey = new Map(doomed.map((each) => [prefix + each.key, each]));
      const lost: Doomed[] = [];
      const failures: Failure[] = [];
      for (const { key, failure } of failed) {
        const each = byKey.get(key);
        if (each === undefined) throw badAnswer("The service tells of a key that it was not to delete.");
        // Ceph says so of a key that was written meanwhile, and leaves it; deleted by itself it goes.
        if (failure.code === "UnknownError") lost.push(each);
        else failures.push({ ...each, error: translate(failure, operation, each.key) });
      }
      return [...failures, ...(await this.#deleteEach(lost, operation, signal))];
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof S3Failure)) throw error;
      if (error.status === 501 || error.status === 405) {
        this.#isUnsupported = true;
        return await this.#deleteEach(doomed, operation, signal);
      }
      return doomed.map(({ key, index }) => ({ index, key, error: translate(error, operation, key) }));
    }
  }

  async #deleteEach(doomed: readonly Doomed[], operation: CallName, signal: AbortSignal | undefined): Promise<readonly Failure[]> {
    const { transport, prefix } = this.#settings;
    const failures: Failure[] = [];
    await forEachConcurrently(doomed, singlesInFlight, async ({ key, index }) => {
      try {
        await transport.delete(prefix + key, undefined, signal);
      } catch (error) {
        signal?.throwIfAborted();
        failures.push({ index, key, error: translate(error, operation, key) });
      }
    });
    return failures;
  }

  async *#pages(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<readonly string[], void, void> {
    const { transport, prefix: before } = this.#settings;
    let token: string | undefined;
    do {
      const query = { prefix: before + prefix, limit: chunkSize, delimiter: undefined, startAfter: undefined, token };
      const page = await transport.list(query, signal);
      if (page.isTruncated && (page.token === undefined || page.token === token)) {
        throw badAnswer("The service says that the list goes on, and not where.");
      }
      const keys = page.objects.map(({ key }) => key.slice(before.length)).filter((key) => key !== "");
      if (keys.length > 0) yield keys;
      token = page.isTruncated ? page.token : undefined;
    } while (token !== undefined);
  }
}

/** The deletes of a batch that may go together, and the rest: what else touches the same key must keep its order. */
export function splitBatch(
  operations: readonly Operation<Bytes>[],
  checkLength: (key: string) => void,
): { readonly together: readonly Doomed[]; readonly apart: readonly number[]; readonly refused: readonly Failure[] } {
  const counts = new Map<string, number>();
  for (const { key } of operations) counts.set(key, (counts.get(key) ?? 0) + 1);
  const together: Doomed[] = [];
  const apart: number[] = [];
  const refused: Failure[] = [];
  for (const [index, { type, key }] of operations.entries()) {
    if (type === "put" || counts.get(key) !== 1) {
      apart.push(index);
      continue;
    }
    try {
      checkKey(key, "batch", storageName);
      checkLength(key);
      together.push({ key, index });
    } catch (error) {
      refused.push({ index, key, error });
    }
  }
  return { together, apart, refused };
}

/** The failures of a call for some of the operations of a batch, by their position in the whole batch. */
export function failuresOf(error: unknown, indices: readonly number[]): readonly Failure[] {
  const failures = (error as { readonly failures?: readonly Failure[] }).failures;
  if (failures === undefined) throw error;
  return failures.map((failure) => ({ ...failure, index: indices[failure.index]! }));
}

/** Refuses a batch some of whose operations failed. */
export function throwFailures(failures: readonly Failure[], total: number, options: BatchOptions | undefined): void {
  options?.signal?.throwIfAborted();
  if (failures.length > 0) throw partial("batch", storageName, failures, total);
}
