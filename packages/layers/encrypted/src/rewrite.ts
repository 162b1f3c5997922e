import type { AnyStorage, ByteStorage, CallOptions, Failure, Storage } from "@stowage/core";
import { forEachConcurrently, isByteStorage, isLostRace, refuseAbility, RekeyedStorage, StorageError, writing } from "@stowage/core";
import { EncryptedStorage } from "./encrypted.ts";
import type { Rewrapped } from "./rewrapper.ts";

export interface RewriteOptions extends CallOptions {
  /**
   * `keys`: each entry gets a header under the key that writes now, over the same ciphertext; plaintext is encrypted in the
   * time of `legacy`. `values`: each value is read through the whole stack and put again, as after another codec, suite or
   * compression was chosen, or after a key was stolen. @default "keys"
   */
  readonly renew?: "keys" | "values" | undefined;
  /** Only keys that begin with it. @default all */
  readonly prefix?: string | undefined;
  /** Where an earlier run was, from its progress. @default the beginning */
  readonly position?: string | undefined;
  /** Nobody else writes meanwhile, so that it goes on storages without the condition "replace". @default false */
  readonly offline?: boolean | undefined;
  /** Entries in work at once, 1 to 64. @default 4 */
  readonly concurrency?: number | undefined;
  /** Is called after each entry, and once more after the last. */
  readonly onProgress?: ((progress: RewriteProgress) => void) | undefined;
}

export interface RewriteProgress {
  /** Entries that were looked at. */
  readonly entries: number;
  /** That were written again, those that were plaintext included. */
  readonly rewritten: number;
  /** That were plaintext. */
  readonly encrypted: number;
  /** That were under the current key already. */
  readonly current: number;
  /** That could not be read. */
  readonly failed: number;
  /** All entries before it are done: give it to another run to go on from there. `undefined` at the beginning, and at the end. */
  readonly position: string | undefined;
}

/** Entries of one page: what is looked at again after a run was interrupted. */
const pageSize = 100;

/** Failures that the final error names. */
const mostFailures = 1000;

/** What is wrong with one entry, and with no other. */
const ofOneEntry: ReadonlySet<string> = new Set(["corrupt", "tampered", "wrong-key", "unknown-key", "unsupported", "too-large"]);

/**
 * Rewrites all entries of a stack: after a new key was put first, to encrypt what is plaintext, or after something else about
 * the layers changed. Others may read and write meanwhile: each entry is readable at every moment, and is replaced only over
 * the version that was read.
 *
 * With `renew: "keys"` it works on the `encrypted` layer of the stack and lists its keys.
 *
 * @returns the progress at the end
 * @throws StorageError `partial` with `failures` when entries could not be read, after all others were rewritten;
 *   `unsupported` before any I/O where the storage has no list, or no condition "replace" and `offline` is not set. Every other
 *   error ends the run, and `position` of the last progress is where the next can go on
 *
 * ```ts
 * const report = await rewrite(users, { onProgress: ({ position }) => save(position) });
 * ```
 */
export async function rewrite(storage: AnyStorage, options: RewriteOptions = {}): Promise<RewriteProgress> {
  const { prefix, signal, onProgress, concurrency = 4 } = options;
  const { listed, one } = plan(storage, options);
  const counts = { entries: 0, rewritten: 0, encrypted: 0, current: 0, failed: 0 };
  const failures: Failure[] = [];
  let cursor = options.position;
  const tell = (): void => onProgress?.({ ...counts, position: cursor });
  do {
    signal?.throwIfAborted();
    const page = await listed.list({ prefix, cursor, limit: pageSize, signal });
    await forEachConcurrently(page.entries, concurrency, async ({ key }) => {
      signal?.throwIfAborted();
      const index = counts.entries++;
      try {
        const done = await one(key);
        if (done === "rewrapped" || done === "encrypted") counts.rewritten++;
        if (done === "encrypted") counts.encrypted++;
        if (done === "current") counts.current++;
      } catch (error) {
        if (!StorageError.is(error) || !ofOneEntry.has(error.code)) throw error;
        counts.failed++;
        if (failures.length < mostFailures) failures.push({ index, key, error });
      }
      tell();
    });
    cursor = page.cursor;
  } while (cursor !== undefined);
  tell();
  if (failures.length === 0) return { ...counts, position: undefined };
  const message = `${counts.failed} of ${counts.entries} entries could not be read and stayed as they are.`;
  throw new StorageError("partial", message, { storage: storage.name, failures });
}

interface Plan {
  readonly listed: AnyStorage;
  readonly one: (key: string) => Promise<Rewrapped>;
}

function plan(storage: AnyStorage, { renew = "keys", offline = false, concurrency = 4, signal }: RewriteOptions): Plan {
  if (renew !== "keys" && renew !== "values") throw new StorageError("invalid-option", 'renew must be "keys" or "values".');
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 64) {
    throw new StorageError("invalid-option", "concurrency must be a whole number from 1 to 64.");
  }
  if (storage.capabilities.list === "none") refuseAbility("list, which rewriting needs", storage, "list");
  if (!offline && !storage.capabilities.conditions.includes("replace")) {
    refuseAbility('rewriting without the condition "replace", unless offline is set, which says that nobody else writes', storage, "put");
  }
  if (renew === "values") return { listed: storage, one: (key) => putAgain(storage, key, offline, signal) };
  const layer = encryptedLayerOf(storage);
  return { listed: layer, one: (key) => layer.rewrap(key, { offline, signal }) };
}

/** The layer whose keys are listed; what stands above it must call them the same. */
function encryptedLayerOf(storage: AnyStorage): EncryptedStorage {
  let part = storage;
  while (!(part instanceof EncryptedStorage)) {
    const [below, ...others] = part.inner;
    if (below === undefined) {
      throw new StorageError("invalid-option", 'There is no encrypted layer in this storage; renew: "values" rewrites any storage.');
    }
    if (others.length > 0 || part instanceof RekeyedStorage) {
      const message = `Below "${part.name}" entries have other keys, or are several; hand in what stands below it.`;
      throw new StorageError("invalid-option", message);
    }
    part = below;
  }
  return part;
}

/** Values that are read in one piece; larger ones are streamed. */
const largestInOnePiece = 1024 * 1024;

const attempts = 20;

/** Reads a value and puts it again, only over the version that was read. */
async function putAgain<V>(storage: Storage<V>, key: string, offline: boolean, signal: AbortSignal | undefined): Promise<Rewrapped> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await putOnceAgain(storage, key, offline, signal);
    } catch (error) {
      if (!isLostRace(error) || attempt === attempts) throw error;
    }
  }
}

async function putOnceAgain<V>(storage: Storage<V>, key: string, offline: boolean, signal: AbortSignal | undefined): Promise<Rewrapped> {
  const { conditions, ttl, metadata, streams } = storage.capabilities;
  const conditional = conditions.includes("replace");
  const kept = (entry: { etag?: string; expiresAt?: number; metadata?: Readonly<Record<string, string>> }) => {
    if (conditional && entry.etag === undefined && !offline) {
      refuseAbility("rewriting an entry without an etag, unless offline is set", storage, "put");
    }
    return {
      signal,
      ifMatch: conditional ? entry.etag : undefined,
      expiresAt: ttl === false ? undefined : entry.expiresAt,
      metadata: metadata ? entry.metadata : undefined,
    };
  };
  if (isByteStorage(storage) && streams === "native" && (!conditional || conditions.includes("stream"))) {
    const bytes: ByteStorage = storage;
    const entry = await bytes.read(key, { signal });
    if (entry === undefined) return "gone";
    if ((entry.size ?? Number.POSITIVE_INFINITY) > largestInOnePiece) {
      await writing(entry.value, () => bytes.write(key, entry.value, { ...kept(entry), size: entry.size }));
      return "rewrapped";
    }
    await entry.value.cancel();
  }
  const entry = await storage.getEntry(key, { signal });
  if (entry === undefined) return "gone";
  await storage.put(key, entry.value, kept(entry));
  return "rewrapped";
}
