import type { ByteStorage, Capabilities, Storage } from "@stowage/core";
import type { AbilityName } from "./abilities.ts";

/** A numbered promise of the contract. */
export type Section = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12;

/** What each numbered promise is about. */
export const sections: Readonly<Record<Section, string>> = {
  1: "Missing is undefined, every other failure rejects",
  2: "Keys are compared exactly",
  3: "Values and metadata come back as they were put",
  4: "A write is all or nothing",
  5: "Conditions are decided by the store",
  6: "Expired is missing",
  7: "List gives each key once",
  8: "Delete and clear",
  9: "Batch and getEntries",
  10: "The signal ends a call",
  11: "Streams",
  12: "Open and close",
};

/** One sentence of the contract, and the check that proves it. */
export interface ContractPromise {
  /** The promise in words; unique. */
  readonly name: string;
  readonly section: Section;
  /** Abilities without which the promise cannot be kept. Where one is absent, its refusal is checked instead. */
  readonly needs: readonly AbilityName[];
  /** Throws when the promise is broken. Works on a fresh storage. */
  readonly run: (context: ContractContext) => Promise<void>;
}

/** What one promise works with: a fresh storage of its own. */
export interface ContractContext {
  readonly storage: Storage<unknown>;
  /** The same storage, for promises that need bytes. */
  readonly bytes: ByteStorage;
  readonly capabilities: Capabilities;
  /** Whether the storage does the work itself, instead of handing it to an inner one. */
  readonly isBackend: boolean;
  /** Milliseconds of real time after which a call that should have ended counts as hung. */
  readonly patience: number;
  /** A sample of the value type, as a copy of its own; different for 0 and 1. Bytes never repeat. */
  readonly value: (index: number) => unknown;
  /** The time by which the storage expires entries. */
  readonly now: () => number;
  /** Moves that time. */
  readonly advance: (duration: number) => Promise<void>;
  /** Moves that time close to the end of a duration, and gives what is left of it. */
  readonly advanceWithin: (duration: number) => Promise<number>;
  /** One more storage over the same data. */
  readonly reopen: () => Promise<Storage<unknown>>;
}

/** The check of a promise, alone or with what it needs. */
export type Check = ContractPromise["run"] | Needing;

export interface Needing {
  readonly needs: readonly AbilityName[];
  readonly run: ContractPromise["run"];
}

/** A check that only makes sense with these abilities. */
export function needs(abilities: AbilityName | readonly AbilityName[], run: ContractPromise["run"]): Needing {
  return { needs: typeof abilities === "string" ? [abilities] : abilities, run };
}

/** The promises of one section, by their names. */
export function section(number: Section, checks: Readonly<Record<string, Check>>): readonly ContractPromise[] {
  return Object.entries(checks).map(([name, check]) =>
    typeof check === "function"
      ? { name, section: number, needs: [], run: check }
      : { name, section: number, needs: check.needs, run: check.run },
  );
}
