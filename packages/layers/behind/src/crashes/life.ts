import type { Step } from "./history.ts";
import { History } from "./history.ts";
import type { Fault, Mistake } from "./world.ts";
import { World } from "./world.ts";

export interface Life {
  /** What is wrong with what the crash left behind. */
  readonly wrong: readonly string[];
  /** Changes of the journal and of the storage below until then. */
  readonly steps: number;
}

/** A process does `script` with faults at some of its steps and dies; others take up what it left. */
export async function live(script: readonly Step[], faults: ReadonlyMap<number, Fault>, mistake?: Mistake): Promise<Life> {
  const world = new World(faults, mistake);
  const history = new History();
  const storage = world.start();
  const { life } = world;
  for (const step of script) if (world.life === life) await history.take(step, storage, world);
  const { steps } = world;
  const wrong: string[] = [];
  const second = world.start();
  wrong.push(...(await history.check(second)).map((problem) => `after the crash ${problem}`));
  await world.settled(second.flush());
  wrong.push(...(await history.check(world.below)).map((problem) => `below ${problem}`));
  const third = world.start();
  await world.settled(third.flush());
  await world.clock.advance(100_000);
  wrong.push(...(await history.check(third)).map((problem) => `after another start ${problem}`), ...world.wentBack);
  const left = (await world.journal.list()).entries.map(({ key }) => key).filter((key) => key !== "owner");
  if (left.length > 0 && mistake === undefined) wrong.push(`left in the journal: ${left.join(", ")}`);
  return { wrong, steps };
}
