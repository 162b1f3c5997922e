import type { StorageSubject } from "@stowage/testing/contract";
import type { Twin } from "./twin.ts";
import { makeTwin } from "./twin.ts";

/** A storage that is broken in one way, and the promise that must catch it. */
export interface BrokenStorage {
  /** What it does wrong. */
  readonly does: string;
  /** The name of a promise that it breaks. */
  readonly caughtBy: string;
  readonly create: StorageSubject["create"];
}

/** A control made of a class over the twin. */
export function control(does: string, caughtBy: string, Broken: typeof Twin): BrokenStorage {
  return { does, caughtBy, create: ({ clock }) => makeTwin(Broken, clock) };
}
