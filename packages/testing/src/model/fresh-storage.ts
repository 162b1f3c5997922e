import type { ContractContext } from "../contract/promise.ts";
import type { CreateContext, StorageSubject } from "../contract/subject.ts";
import { prepare } from "../contract/subject.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { drive } from "./calls.ts";

/** What is compared with the model: how to make a fresh storage, and what to put into it. */
export interface ModelSubject extends Omit<StorageSubject, "create"> {
  /** Makes a fresh, empty storage for one sequence of steps. */
  readonly create: (context: ModelContext) => ReturnType<StorageSubject["create"]>;
  /** Sequences of steps; twenty times as many with `STOWAGE_EFFORT=full`. @default 200 */
  readonly runs?: number | undefined;
}

export interface ModelContext extends CreateContext {
  /** Belongs to the sequence: hand it to a `faulty` layer, so that the same sequence meets the same faults again. */
  readonly seed: number;
}

/** Milliseconds of real time after which a call counts as hung. */
const patience = 10_000;

/** Makes a storage, works with it, and gets rid of it. */
export async function onFreshStorage<T>(
  subject: ModelSubject,
  seed: number,
  work: (context: ContractContext, clock: VirtualClock) => Promise<T>,
): Promise<T> {
  let clock = new VirtualClock();
  const create = (context: CreateContext): ReturnType<StorageSubject["create"]> => {
    clock = context.clock;
    return subject.create({ ...context, seed });
  };
  const prepared = await prepare({ ...subject, create }, patience);
  try {
    return await work(prepared.context, clock);
  } finally {
    // What still waits for the clock, as a call that nobody waits for any more may, keeps a storage from closing.
    await drive(prepared.dispose(), clock, patience);
  }
}
