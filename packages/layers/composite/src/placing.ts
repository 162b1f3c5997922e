import type { EntryInfo, Metadata, PutOptions } from "@stowage/core";
import { isLostRace, StorageError } from "@stowage/core";
import type { Glance, Landing, Replica } from "./replica.ts";
import { deletedVersion } from "./replica.ts";
import { tombstoneValue } from "./tombstones.ts";
import { versionName, versionOf } from "./versions.ts";

/** Tries to write over what others write at the same time. */
const attempts = 5;

/** The condition that something is still as it was seen. */
export type Condition = Pick<PutOptions, "ifMatch" | "ifNoneMatch">;

export interface Place {
  readonly replica: Replica;
  readonly key: string;
  /** Where a newer delete would be known of. */
  readonly tombstoneKey: string;
  readonly version: string;
  readonly signal: AbortSignal | undefined;
  readonly landing: Landing;
  /** Whether the replica is to decide that nothing newer is overwritten. */
  readonly conditional: boolean;
}

/**
 * Writes a version over an older one, or over nothing. What is as new already stays. Where the replica has conditions, it
 * decides itself whether something newer came in between; only what is damaged has no version that a condition could name.
 *
 * @param known what is there, as far as is known
 * @returns what stands there of this version; nothing where a newer one has overtaken it
 */
export async function placeOver(
  place: Place,
  known: Glance | undefined,
  send: (condition: Condition, signal: AbortSignal | undefined) => Promise<EntryInfo>,
  operation: "put" | "write" = "put",
): Promise<EntryInfo | undefined> {
  const { replica, key, tombstoneKey, version, signal, landing, conditional } = place;
  let seen = known?.info;
  let damage = known?.damage;
  for (let attempt = 1; ; attempt++) {
    if (seen !== undefined && versionOf(seen) >= version) return versionOf(seen) === version ? seen : undefined;
    const condition = conditional && damage === undefined ? conditionOn(seen) : {};
    try {
      return await replica.call(operation, (own) => landing(send(condition, own)), signal);
    } catch (error) {
      if (!conditional || !isLostRace(error)) throw error;
      const look = await replica.look(key, tombstoneKey, signal);
      if (deletedVersion(look) > version) return undefined; // overtaken by a delete
      ({ info: seen, damage } = look.value);
      if (seen !== undefined && versionOf(seen) >= version) continue;
      if (operation === "write" || attempt === attempts) throw conflict(replica, operation);
    }
  }
}

/** Puts the tombstone of a key: nothing older than its version lives. False where one as new is there already. */
export async function bury(place: Place, known: Glance | undefined): Promise<boolean> {
  const { tombstoneKey, replica } = place;
  const value = tombstoneValue(place.key);
  const metadata: Metadata = { [versionName]: place.version };
  let buried = false;
  await placeOver({ ...place, key: tombstoneKey }, known, async (condition, signal) => {
    const info = await replica.storage.put(tombstoneKey, value, { ...condition, metadata, signal });
    buried = true;
    return info;
  });
  return buried;
}

/** Deletes the value under a key unless it is as new as a version; also one that is damaged. */
export async function removeOlder({ replica, key, version, signal, landing, conditional }: Omit<Place, "tombstoneKey">): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const { info: seen, damage } = await replica.glance(key, signal);
    if (damage === undefined && (seen === undefined || versionOf(seen) >= version)) return false;
    try {
      const ifMatch = conditional ? seen?.etag : undefined;
      await replica.call("delete", (own) => landing(replica.storage.delete(key, { ifMatch, signal: own })), signal);
      return true;
    } catch (error) {
      if (!conditional || !isLostRace(error)) throw error;
      if (attempt === attempts) throw conflict(replica, "delete");
    }
  }
}

function conditionOn(seen: EntryInfo | undefined): Condition {
  if (seen === undefined) return { ifNoneMatch: "*" };
  return seen.etag === undefined ? {} : { ifMatch: seen.etag };
}

/** What comes after a write that took effect: when it fails, the whole may have taken effect, whatever it says of itself. */
export async function afterEffect<T>(rest: Promise<T>): Promise<T> {
  try {
    return await rest;
  } catch (error) {
    if (!StorageError.is(error) || error.outcome === "unknown") throw error;
    const { code, message, retryable, operation, key, storage, retryAfter } = error;
    throw new StorageError(code, message, { retryable, operation, key, storage, retryAfter, outcome: "unknown", cause: error });
  }
}

function conflict({ name }: Replica, operation: string): StorageError {
  return new StorageError("conflict", `Others changed the entry on the replica "${name}" again and again.`, {
    operation,
    storage: "composite",
  });
}
