import type { Storage } from "@stowage/core";
import { scan, update } from "@stowage/core";

export interface Guest {
  readonly visits: number;
  readonly last: string;
}

/** A day in milliseconds: who does not come back within a year is forgotten. */
const year = 365 * 24 * 3_600_000;

/** Counts a visit, whoever else counts one at the same moment. */
export async function welcome(guests: Storage<Guest>, name: string, now: Date): Promise<Guest> {
  let guest: Guest = { visits: 0, last: "" };
  await update(guests, name, (known) => (guest = { visits: (known?.visits ?? 0) + 1, last: now.toISOString() }), { attempts: 100 });
  return guest;
}

/** A guest who leaves a note comes with metadata and an expiry, on every backend. */
export async function leaveNote(guests: Storage<Guest>, name: string, note: string): Promise<void> {
  const guest = await guests.getEntry(name);
  if (guest !== undefined) await guests.put(name, guest.value, { ttl: year, metadata: { note } });
}

/** All who were here, in the order of their names. */
export async function readBook(guests: Storage<Guest>): Promise<string[]> {
  const lines: string[] = [];
  for await (const { key } of scan(guests)) {
    const entry = await guests.getEntry(key);
    if (entry !== undefined)
      lines.push(`${key}: ${entry.value.visits} visits${entry.metadata?.["note"] ? `, "${entry.metadata["note"]}"` : ""}`);
  }
  return lines.sort();
}
