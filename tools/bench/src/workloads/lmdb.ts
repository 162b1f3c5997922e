import { join } from "node:path";
import { lmdbStorage } from "@stowage/lmdb";
import type { Database, RootDatabase } from "lmdb";
import { open } from "lmdb";
import type { Data } from "../harness/calls.ts";
import { keysOf } from "../harness/calls.ts";
import type { Bench, Workload } from "../harness/workload.ts";
import type { ByHand } from "./ordered-stores.ts";
import { comparePair } from "./ordered-stores.ts";

/**
 * The LMDB storage against lmdb-js by hand: binary values under text, written by `put`, and waited for until they are on the
 * disk. A get by hand sees what was there when the turn began; ours sees what another process has written since, and asks
 * for the time, so that reads in a row leave room for others: each of the two takes nearly a tenth of a get.
 */
export const lmdb: Workload = {
  name: "lmdb",
  about: "Values of 100 bytes; in brackets the speed as a share of lmdb-js by hand, with the same durability.",
  async run(bench) {
    await measure(bench, "memory", bench.pick(50_000, 100), bench.pick(2_000, 40));
    await measure(bench, "disk", bench.pick(2_000, 100), bench.pick(200, 40));
  },
};

async function measure(bench: Bench, where: "memory" | "disk", count: number, few: number): Promise<void> {
  const folder = await bench.folder(where);
  const keys = keysOf(count);
  const data = { keys, values: keys.map((_, index) => new Uint8Array(100).fill(index)) };
  const hand = new LmdbByHand(join(folder, "hand.mdb"));
  const storage = lmdbStorage({ path: join(folder, "ours.mdb") });
  await comparePair(bench, { title: where === "memory" ? "lmdb, in memory" : "lmdb, on the disk", hand, storage }, data, few);
}

class LmdbByHand implements ByHand {
  readonly #root: RootDatabase;
  readonly #database: Database<Uint8Array, string>;

  constructor(path: string) {
    this.#root = open({ path, noSubdir: true });
    this.#database = this.#root.openDB("entries", { encoding: "binary" });
  }

  async get(key: string): Promise<unknown> {
    return this.#database.get(key);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#database.put(key, value);
    await this.#database.flushed;
  }

  async putAll({ keys, values }: Data<Uint8Array>): Promise<void> {
    await this.#database.transaction(() => {
      for (let index = 0; index < keys.length; index++) void this.#database.put(keys[index]!, values[index]!);
    });
    await this.#database.flushed;
  }

  async keys(): Promise<void> {
    for (let page = await this.#page(); page.length > 0; page = await this.#page(page.at(-1)));
  }

  async #page(start?: string): Promise<readonly string[]> {
    return Array.from(this.#database.getKeys({ ...(start !== undefined && { start, exclusiveStart: true }), limit: 1_000 }));
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}
