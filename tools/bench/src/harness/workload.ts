import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Rounds } from "./compare.ts";
import type { Report } from "./report.ts";

/** Something that is measured: `pnpm bench <name>`. */
export interface Workload {
  readonly name: string;
  /** One sentence for the report. */
  readonly about: string;
  readonly run: (bench: Bench) => Promise<void>;
}

/** What a workload works with. */
export class Bench {
  readonly report: Report;
  /** Tiny sizes: only to see that the workload runs. */
  readonly smoke: boolean;
  readonly #folders: string[] = [];

  constructor(report: Report, smoke: boolean) {
    this.report = report;
    this.smoke = smoke;
  }

  /** The size for a real run, or the one for a smoke run. */
  pick<T>(real: T, smoke: T): T {
    return this.smoke ? smoke : real;
  }

  /** Rounds for quick operations, each filled with as many as fit. */
  get quick(): Rounds {
    return this.smoke ? { rounds: 1, budget: 1 } : { rounds: 9, budget: 50 };
  }

  /** Rounds for what waits for the disk, which keeps its own time. */
  get slow(): Rounds {
    return this.smoke ? { rounds: 1, budget: 1 } : { rounds: 9, budget: 300 };
  }

  /** Rounds for what takes long: one run in each. */
  get long(): Rounds {
    return this.smoke ? { rounds: 1, budget: 0 } : { rounds: 5, budget: 0 };
  }

  /** A new folder in memory, so that the disk does not hide the software, or on the disk. */
  async folder(where: "memory" | "disk"): Promise<string> {
    const shared = "/dev/shm";
    const folder = await mkdtemp(join(where === "memory" && existsSync(shared) ? shared : tmpdir(), "stowage-bench-"));
    this.#folders.push(folder);
    return folder;
  }

  /** Removes what the workload left behind. */
  async clean(): Promise<void> {
    for (const folder of this.#folders.splice(0)) await rm(folder, { recursive: true, force: true });
  }
}
