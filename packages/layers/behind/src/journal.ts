import type { ByteStorage, Failure, Operation, Bytes } from "@stowage/core";
import { forEachConcurrently, scan, StorageError } from "@stowage/core";
import type { Write } from "./record.ts";
import { damaged, decodeRecord, encodeRecord, nameOf } from "./record.ts";

/** What became of the records of one append: failures by their position. */
export type Landing = ReadonlyMap<number, unknown>;

const none: Landing = new Map();

/** The records of pending writes in another storage. Their order is that of their names, so no call here depends on another. */
export class Journal {
  readonly storage: ByteStorage;

  constructor(storage: ByteStorage) {
    this.storage = storage;
  }

  /** Every write that is in the journal, in the order of their sequence. */
  async recover(): Promise<Write[]> {
    const writes: Write[] = [];
    await forEachConcurrently(scan(this.storage), 16, async ({ key: name }) => {
      if (!/^\d{16}$/.test(name)) throw damaged(name, "this is no name of a record");
      const record = await this.storage.get(name);
      if (record !== undefined) writes.push(decodeRecord(name, record));
    });
    const bySequence = new Map(writes.map((write) => [write.sequence, write])); // an unordered list may name one twice
    return Array.from(bySequence.values()).sort((a, b) => a.sequence - b.sequence);
  }

  /** Adds records. Tells which did not land. */
  async append(writes: readonly Write[], atomic: boolean): Promise<Landing> {
    const [only] = writes;
    try {
      if (writes.length === 1 && only !== undefined) await this.storage.put(nameOf(only.sequence), encodeRecord(only));
      else {
        const puts = writes.map((write): Operation<Bytes> => ({ type: "put", key: nameOf(write.sequence), value: encodeRecord(write) }));
        await this.storage.batch(puts, { atomic });
      }
      return none;
    } catch (error) {
      return failuresOf(error, writes.length);
    }
  }

  /** Removes records. Tells which may still be there. */
  async remove(sequences: readonly number[]): Promise<Landing> {
    const [only] = sequences;
    try {
      if (sequences.length === 1 && only !== undefined) await this.storage.delete(nameOf(only));
      else await this.storage.batch(sequences.map((sequence) => ({ type: "delete", key: nameOf(sequence) })));
      return none;
    } catch (error) {
      return failuresOf(error, sequences.length);
    }
  }
}

/** The failures of a batch by position; any error but `partial` is that of all. */
export function failuresOf(error: unknown, count: number): Landing {
  const failures: readonly Failure[] | undefined = StorageError.is(error, "partial") ? error.failures : undefined;
  if (failures !== undefined) return new Map(failures.map((failure) => [failure.index, failure.error]));
  return new Map(Array.from({ length: count }, (_, index) => [index, error]));
}
