import type { EntryInfo } from "@stowage/core";
import { StorageError } from "@stowage/core";

/** An entry as it is stored, expired or not. */
export interface Seen {
  readonly etag: string | undefined;
  readonly expired: boolean;
}

/** Where an entry may be created: where nothing is, or over the version with this etag, which has expired. */
type Place = { readonly ifNoneMatch: "*" } | { readonly ifMatch: string };

/** How one entry is created. */
export interface Creation {
  /** What is stored under the key. */
  readonly look: () => Promise<Seen | undefined>;
  readonly send: (place: Place) => Promise<EntryInfo>;
  /** Whether `send` may be called again. Where it may not, it is looked before it is sent. */
  readonly repeatable: boolean;
  readonly storage: string;
  readonly operation: "put" | "write";
  readonly key: string;
}

/** Times that a creation is sent again because the entry changed between look and write. */
const restarts = 3;

/**
 * Creates an entry where nothing is, or nothing but what has expired. The store below decides each time: an expired entry
 * is replaced by its etag, so that of many who create at once one wins, and nobody loses to one that is not there.
 */
export async function create({ look, send, repeatable, storage, operation, key }: Creation): Promise<EntryInfo> {
  let seen = repeatable ? undefined : await look();
  for (let attempt = 0; ; attempt++) {
    try {
      return await send(seen?.expired === true && seen.etag !== undefined ? { ifMatch: seen.etag } : { ifNoneMatch: "*" });
    } catch (error) {
      if (!StorageError.is(error, "precondition-failed")) throw error;
      seen = await look();
      if (seen?.expired === false) throw error;
      if (repeatable && attempt < restarts) continue;
      const message = "The entry changed each time it was created; try again.";
      throw new StorageError("conflict", message, { storage, operation, key, cause: error });
    }
  }
}
