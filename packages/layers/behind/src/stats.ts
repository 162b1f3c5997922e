import type { Clock } from "@stowage/core";
import type { Queue } from "./queue.ts";

/** What a write-behind layer has done since it was made, and what is pending. */
export interface BehindStats {
  /** Writes that were acknowledged and are not below; of one key the newest. Dead letters included. */
  readonly pending: number;
  /** Bytes of their values. */
  readonly pendingSize: number;
  /** Milliseconds since the oldest write was accepted that is not below; 0 where there is none. */
  readonly oldestAge: number;
  /** Calls that wait for room. */
  readonly waiting: number;
  /** Writes that reached the storage below. */
  readonly written: number;
  /** Writes that were overtaken by a later one of their key and need not go below. */
  readonly coalesced: number;
  /** Attempts that failed and were tried again. */
  readonly retries: number;
  readonly deadLetters: number;
  /** Calls of `onDeadLetter` that threw or rejected. */
  readonly listenerErrors: number;
}

export function statsOf({ room, slots, drained, stats }: Queue, clock: Clock): BehindStats {
  const now = clock.now();
  let [pending, pendingSize, oldest, deadLetters] = [0, 0, now, 0];
  for (const slot of slots.all()) {
    if (slot.dead !== undefined) deadLetters++;
    if (slot.isBelow) continue;
    pending++;
    pendingSize += slot.newest!.size;
    oldest = Math.min(oldest, slot.newest!.modifiedAt);
  }
  const { waiting } = room;
  return { pending, pendingSize, oldestAge: now - oldest, waiting, ...drained, ...stats, deadLetters };
}
