import type { ByteStorage } from "@stowage/core";
import { redisStorage } from "@stowage/redis";
import { redisServer } from "@stowage-tools/servers";
import { createClient, RESP_TYPES } from "@redis/client";
import type { Data, Store } from "../harness/calls.ts";
import { keysOf } from "../harness/calls.ts";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { figure, perSecond } from "../harness/report.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** The Redis storage against node-redis by hand: GET and SET of bytes over loopback, nothing else kept. */
export const redis: Workload = {
  name: "redis",
  about:
    "Values of 100 bytes over loopback; in brackets the speed as a share of node-redis by hand, whose own time-out of a command is at its default. Without any, it is the second column.",
  async run(bench) {
    const server = await redisServer();
    const client = createClient({ url: server.url, commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } });
    const unlimited = client.withCommandOptions({ timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } });
    const storage = redisStorage({ url: server.url });
    const ordered = redisStorage({ url: server.url, namespace: "ordered", ordered: true });
    try {
      await client.connect();
      const hand: Store<Uint8Array> = {
        get: (key) => client.get(key),
        put: (key, value) => client.set(key, value as Buffer),
      };
      const bare: Store<Uint8Array> = {
        get: (key) => unlimited.get(key),
        put: (key, value) => unlimited.set(key, value as Buffer),
      };
      const keys = keysOf(bench.pick(6_400, 64));
      const data = { keys, values: keys.map((_, index) => Buffer.alloc(100, index)) };
      await measure(bench, { [byHand]: hand, [withoutLimit]: bare, [ours]: storage, [indexed]: ordered }, data);
    } finally {
      await Promise.all([storage.close(), ordered.close()]);
      client.destroy();
      await server.stop();
    }
  },
};

const byHand = "node-redis by hand (limit)";
const withoutLimit = "node-redis without time-outs";
const ours = "redis";
const indexed = "redis, ordered";
const names = [byHand, withoutLimit, ours, indexed];

async function measure(bench: Bench, stores: Readonly<Record<string, Store<Uint8Array>>>, data: Data<Uint8Array>): Promise<void> {
  const rows: [string, Comparison][] = [];
  for (const operation of ["put", "get"] as const) {
    for (const inFlight of [1, 64]) {
      const contenders = Object.entries(stores).map(([name, store]) => calling(name, store, operation, inFlight, data));
      rows.push([`${operation}, ${inFlight} in flight`, await compare(contenders, bench.slow)]);
    }
  }
  bench.report.table(
    "redis",
    ["operation", ...names],
    rows.map(([name, result]) => [name, ...names.map((contender) => cell(result, contender))]),
  );
  for (const [name, result] of rows) bench.report.atLeast(`${name}, of node-redis by hand`, result.ratio(ours, byHand), 0.9);
}

const cell = (result: Comparison, name: string): string =>
  `${perSecond(result.nanoseconds(name))}/s (${figure(result.ratio(name, byHand))})`;

function calling(
  name: string,
  store: Pick<ByteStorage, "get"> | Store<Uint8Array>,
  operation: "get" | "put",
  inFlight: number,
  { keys, values }: Data<Uint8Array>,
): Contender {
  const target = store as Store<Uint8Array>;
  const client = async (first: number): Promise<void> => {
    for (let index = first; index < keys.length; index += inFlight) {
      if (operation === "get") await target.get(keys[index]!);
      else await target.put(keys[index]!, values[index]!);
    }
  };
  const run = async (): Promise<void> => void (await Promise.all(Array.from({ length: inFlight }, (_, first) => client(first))));
  return { name, operations: keys.length, run };
}
