import type { BatchOptions, Bytes, Capabilities, Entry, Failure, Operation } from "@stowage/core";
import { partial } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin } from "../twin.ts";

type Operations = readonly Operation<Bytes>[];

class StopsAtTheFirstFailure extends Twin {
  override async batch(operations: Operations, options?: BatchOptions): Promise<void> {
    for (const [index, operation] of operations.entries()) {
      try {
        await super.batch([operation], options);
      } catch (error) {
        throw partial("batch", this.name, [{ index, key: operation.key, error }], operations.length);
      }
    }
  }
}

class LosesTheOrder extends Twin {
  override batch(operations: Operations, options?: BatchOptions): Promise<void> {
    return super.batch(operations.toReversed(), options);
  }
}

class SwallowsFailures extends Twin {
  override async batch(operations: Operations, options?: BatchOptions): Promise<void> {
    await super.batch(operations, options).catch(() => {});
  }
}

class CountsFromOne extends Twin {
  override async batch(operations: Operations, options?: BatchOptions): Promise<void> {
    try {
      await super.batch(operations, options);
    } catch (error) {
      const failures = (Reflect.get(Object(error), "failures") ?? []) as readonly Failure[];
      if (failures.length === 0) throw error;
      const moved = failures.map((failure) => ({ ...failure, index: failure.index + 1 }));
      throw partial("batch", this.name, moved, operations.length);
    }
  }
}

class IsNotAtomic extends Twin {
  override batch(operations: Operations, options?: BatchOptions): Promise<void> {
    return super.batch(operations, { ...options, atomic: false });
  }
}

class DropsOptionsInBatches extends Twin {
  override batch(operations: Operations, options?: BatchOptions): Promise<void> {
    const bare = operations.map((operation) => ({ ...operation, options: undefined }));
    return super.batch(bare, options);
  }
}

class SaysItIsNotAtomic extends Twin {
  override get capabilities(): Capabilities {
    return { ...super.capabilities, atomicBatch: false };
  }
}

class AnswersOnce extends Twin {
  override async getEntries(keys: readonly string[]): Promise<(Entry<Bytes> | undefined)[]> {
    return await super.getEntries(Array.from(new Set(keys)));
  }
}

class AnswersSorted extends Twin {
  override async getEntries(keys: readonly string[]): Promise<(Entry<Bytes> | undefined)[]> {
    return await super.getEntries(keys.toSorted());
  }
}

class LeavesOutTheMissing extends Twin {
  override async getEntries(keys: readonly string[]): Promise<(Entry<Bytes> | undefined)[]> {
    return (await super.getEntries(keys)).filter((entry) => entry !== undefined);
  }
}

class SharesAnswers extends Twin {
  override async getEntries(keys: readonly string[]): Promise<(Entry<Bytes> | undefined)[]> {
    const found = new Map<string, Entry<Bytes> | undefined>();
    for (const key of keys) found.set(key, found.get(key) ?? (await super.getEntry(key)));
    return keys.map((key) => found.get(key));
  }
}

class TakesFailuresForMissing extends Twin {
  override async getEntries(keys: readonly string[]): Promise<(Entry<Bytes> | undefined)[]> {
    return await Promise.all(keys.map((key) => super.getEntry(key).catch(() => undefined)));
  }
}

export const brokenBulk: readonly BrokenStorage[] = [
  control("stops a batch at the first failure", "batch tries every operation and tells which failed", StopsAtTheFirstFailure),
  control("loses the order of a batch", "batch keeps the order of operations on a key", LosesTheOrder),
  control("swallows the failures of a batch", "batch refuses what is not a key, and does the rest", SwallowsFailures),
  control("counts failures from one", "batch goes on with a key after one of its operations failed", CountsFromOne),
  control("does half of an atomic batch", "an atomic batch with a wrong value does nothing", IsNotAtomic),
  control("drops the options of operations", "batch keeps metadata, each operation its own", DropsOptionsInBatches),
  control("is atomic where it says that it is not", "an atomic batch does all", SaysItIsNotAtomic),
  control("answers a key once", "getEntries answers a key as often as it is asked for, each time with a value of its own", AnswersOnce),
  control("answers in its own order", "getEntries answers in the order of the keys", AnswersSorted),
  control("leaves out what is missing", "getEntries answers in the order of the keys", LeavesOutTheMissing),
  control(
    "shares a value between two answers",
    "getEntries answers a key as often as it is asked for, each time with a value of its own",
    SharesAnswers,
  ),
  control("takes a failure for a missing entry", "getEntries with a wrong key rejects", TakesFailuresForMissing),
];
