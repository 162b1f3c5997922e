import { writeSync } from "node:fs";
import { StorageError, update } from "@stowage/core";
import { seeded } from "./random.ts";
import type { Target } from "./target.ts";
import { openTarget } from "./target.ts";
import { makeValue, readValue } from "./value.ts";

/** One of many processes on one folder. */
export interface WorkerOptions {
  readonly role: "write" | "read" | "count" | "create";
  readonly target: Target;
  readonly directory: string;
  readonly seed: number;
  /** Milliseconds for writers and readers. */
  readonly duration: number;
  /** Increments, or keys to be created. */
  readonly rounds: number;
}

const options = JSON.parse(process.argv[2] as string) as WorkerOptions;
const storage = openTarget(options.target, options.directory);
const random = seeded(options.seed);
const say = (line: string): void => void writeSync(1, `${line}\n`);

const roles: Record<WorkerOptions["role"], () => Promise<void>> = {
  async write() {
    const end = Date.now() + options.duration;
    for (let number = 1; Date.now() < end; number++) {
      const value = makeValue(options.seed * 1_000_000 + number, 200_000 + Math.floor(random() * 400_000));
      if (random() < 0.2) await storage.write("shared/key", new Blob([value]));
      else await storage.put("shared/key", value);
    }
    say("done");
  },
  async read() {
    const end = Date.now() + options.duration;
    let reads = 0;
    while (Date.now() < end) {
      const value = await storage.get("shared/key");
      if (value === undefined) say("missing");
      else readValue(value);
      reads++;
    }
    say(`reads ${reads}`);
  },
  async count() {
    for (let round = 0; round < options.rounds; round++) {
      await update(
        storage,
        "counter",
        (value) => new TextEncoder().encode(String(Number(value === undefined ? 0 : new TextDecoder().decode(value)) + 1)),
        {
          attempts: 10_000,
        },
      );
    }
    say("done");
  },
  async create() {
    for (let round = 0; round < options.rounds; round++) {
      try {
        await storage.put(`race/${round}`, makeValue(options.seed, 100), { ifNoneMatch: "*" });
        say(`won ${round}`);
      } catch (error) {
        if (!StorageError.is(error, "precondition-failed")) throw error;
      }
    }
  },
};

await roles[options.role]();
await storage.close();
