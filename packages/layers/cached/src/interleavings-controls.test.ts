import { afterEach, expect, test, vi } from "vitest";
import { BusLink } from "./bus-link.ts";
import { Distrust } from "./distrust.ts";
import { Doubts } from "./doubts.ts";
import { Interleaving } from "./interleaving/interleaving.ts";
import { Loads } from "./loads.ts";
import { SecondLevel } from "./second-level.ts";
import { Slots } from "./slots.ts";
import { Writes } from "./writes.ts";

/** One that needs no luck: every control is caught within a few dozen interleavings from here on. */
const firstSeed = 1;
const runs = 2_000;

afterEach(() => void vi.restoreAllMocks());

const memory = { withStore: false, withBus: false, loses: false, crashes: false };
const bothLevels = { ...memory, withStore: true };
const onBus = { ...bothLevels, withBus: true };
const ending = { ...bothLevels, crashes: true };

/** The package with one thing taken out of it. */
const controls: Readonly<Record<string, readonly [options: typeof memory, breakIt: () => void]>> = {
  "a load that a write made old is kept": [memory, () => vi.spyOn(Loads.prototype, "drop").mockReturnValue()],
  "a load that a clear made old is kept": [
    memory,
    () => {
      vi.spyOn(Loads.prototype, "dropPrefix").mockReturnValue();
      vi.spyOn(Writes.prototype, "epoch", "get").mockReturnValue(0);
    },
  ],
  "nobody looks whether a write is under way": [
    memory,
    () => {
      vi.spyOn(Writes.prototype, "isWriting").mockReturnValue(false);
      vi.spyOn(Writes.prototype, "isUnsettled").mockReturnValue(false);
    },
  ],
  "a write that ran beside another one is kept": [
    memory,
    () => {
      const { end } = Writes.prototype;
      vi.spyOn(Writes.prototype, "end").mockImplementation(function (this: Writes, ...parameters) {
        end.apply(this, parameters);
        return true;
      });
    },
  ],
  "a write that may still happen is forgotten": [memory, () => vi.spyOn(Doubts.prototype, "add").mockReturnValue()],
  "a clear that may still happen is forgotten": [memory, () => vi.spyOn(Doubts.prototype, "addAll").mockReturnValue()],
  "a write leaves the old value in memory": [
    memory,
    () => {
      vi.spyOn(Slots.prototype, "delete").mockReturnValue();
    },
  ],
  "what others changed disturbs no write": [memory, () => vi.spyOn(Writes.prototype, "disturb").mockReturnValue()],
  "a write that was sent leaves the old value in the store": [ending, () => vi.spyOn(SecondLevel.prototype, "vacate").mockResolvedValue()],
  "a store that could not forget is believed": [bothLevels, () => vi.spyOn(Distrust.prototype, "has").mockReturnValue(false)],
  "a fill that was given up is forgotten": [bothLevels, () => vi.spyOn(Distrust.prototype, "fear").mockReturnValue()],
  "what the store could not forget is not tried again": [bothLevels, () => vi.spyOn(Distrust.prototype, "due").mockReturnValue([])],
  "a message leaves the old value in the store": [onBus, () => vi.spyOn(SecondLevel.prototype, "forget").mockResolvedValue(true)],
  "nobody listens": [onBus, () => vi.spyOn(BusLink.prototype, "join").mockReturnValue()],
};

test("the package as it is passes", async () => {
  for (let run = 0; run < 100; run++) {
    for (const options of [memory, bothLevels, onBus, ending]) await new Interleaving({ seed: firstSeed + run, ...options }).run();
  }
});

test.each(Object.entries(controls))("caught: %s", async (_, [options, breakIt]) => {
  breakIt();
  const all = async (): Promise<void> => {
    for (let run = 0; run < runs; run++) await new Interleaving({ seed: firstSeed + run, ...options }).run();
  };
  await expect(all()).rejects.toThrow(/gave|in the end|got below/);
});
