import { join } from "node:path";
import { levelStorage } from "@stowage/level";
import { ClassicLevel } from "classic-level";
import type { Data } from "../harness/calls.ts";
import { keysOf } from "../harness/calls.ts";
import type { Bench, Workload } from "../harness/workload.ts";
import type { ByHand } from "./ordered-stores.ts";
import { comparePair } from "./ordered-stores.ts";

/**
 * The LevelDB storage against classic-level by hand in its fastest way: its synchronous get, chained batches, keys by the
 * thousand. What a get falls short by is above all the copy of the value out of its record, into memory of its own: nearly a
 * fourth of the time of LevelDB's get. In a batch it is the record: making it, and the 28 bytes that it has before the value.
 */
export const level: Workload = {
  name: "level",
  about: "Values of 100 bytes; in brackets the speed as a share of classic-level by hand, with the same durability.",
  async run(bench) {
    await measure(bench, "process", "memory", bench.pick(50_000, 100), bench.pick(5_000, 40));
    await measure(bench, "power", "disk", bench.pick(2_000, 100), bench.pick(200, 40));
  },
};

async function measure(bench: Bench, durability: "process" | "power", where: "memory" | "disk", count: number, few: number): Promise<void> {
  const folder = await bench.folder(where);
  const keys = keysOf(count);
  const data = { keys, values: keys.map((_, index) => new Uint8Array(100).fill(index)) };
  const hand = new LevelByHand(join(folder, "hand"), durability === "power");
  await hand.open();
  const storage = levelStorage({ directory: join(folder, "ours"), durability });
  await comparePair(
    bench,
    { title: `level, survives ${durability === "power" ? "loss of power" : "the process"}`, hand, storage },
    data,
    few,
  );
}

class LevelByHand implements ByHand {
  readonly #database: ClassicLevel<string, Uint8Array>;
  readonly #sync: boolean;

  constructor(folder: string, sync: boolean) {
    this.#database = new ClassicLevel(folder, { valueEncoding: "view" });
    this.#sync = sync;
  }

  open(): Promise<void> {
    return this.#database.open();
  }

  async get(key: string): Promise<unknown> {
    return this.#database.getSync(key);
  }

  put(key: string, value: Uint8Array): Promise<void> {
    return this.#database.put(key, value, { sync: this.#sync });
  }

  async putAll({ keys, values }: Data<Uint8Array>): Promise<void> {
    const batch = this.#database.batch();
    for (let index = 0; index < keys.length; index++) batch.put(keys[index]!, values[index]!);
    await batch.write({ sync: this.#sync });
  }

  async keys(): Promise<void> {
    const keys = this.#database.keys({ highWaterMarkBytes: 1024 * 1024 });
    while ((await keys.nextv(1_000)).length > 0);
    await keys.close();
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
