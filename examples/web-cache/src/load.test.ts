import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Storages } from "@stowage/config";
import { parseStorages } from "@stowage/config";
import type { ByteStorage, Entry, Storage } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runClients } from "./clients.ts";
import type { RunningServer } from "./server.ts";
import { startServer } from "./server.ts";

const clients = 64;
const requestsPerClient = process.env["STOWAGE_EFFORT"] === "full" ? 500 : 60;

let directory: string;
let server: RunningServer;
const logged: unknown[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "web-cache-"));
});

afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
  logged.length = 0;
});

/** The stacks of the example, in another folder. What is missing is remembered for longer than any machine takes, so that hits do not depend on its speed. */
async function open(): Promise<Storages> {
  const text = await readFile(join(import.meta.dirname, "../storage.yaml"), "utf8");
  expect(text).toContain("missingTtl: 1s");
  return await parseStorages(text.replace("missingTtl: 1s", "missingTtl: 1h"), { directory });
}

async function start(storages: Promise<Storages> = open()): Promise<void> {
  server = await startServer({ open: () => storages, log: (error) => void logged.push(error) });
}

/** Gives an entry that it gave before every third time. */
class StaleStorage<V> extends ForwardingStorage<V> {
  readonly name = "stale";
  readonly #old = new Map<string, Promise<Entry<V> | undefined>>();
  #calls = 0;

  override getEntry(key: string): Promise<Entry<V> | undefined> {
    const old = this.#old.get(key);
    if (old !== undefined && ++this.#calls % 3 === 0) return old;
    const entry = this.below.getEntry(key);
    this.#old.set(key, entry);
    return entry;
  }
}

test(
  "64 clients get no error, never an old value, mostly from the cache, and the metrics count each request",
  { timeout: 300_000 },
  async () => {
    await start();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const { counts, problems } = await runClients({ url: server.url, seed, clients, requestsPerClient });
    expect(problems, `seed ${seed}`).toEqual([]);
    expect(logged).toEqual([]);
    const samples = parsed(await (await fetch(`${server.url}/metrics`)).text());
    const calls = (layer: string, operation?: string): number =>
      sumOf(samples, "stowage_calls_total", {
        db_collection_name: "notes",
        stowage_layer: layer,
        ...(operation !== undefined && { db_operation_name: operation }),
      });
    const requests = clients * requestsPerClient;
    expect(counts.get + counts.put + counts.delete).toBe(requests);
    expect([calls("cached", "getEntry"), calls("cached", "put"), calls("cached", "delete")]).toEqual([
      counts.get,
      counts.put,
      counts.delete,
    ]);
    expect(calls("cached")).toBe(requests);
    expect(sumOf(samples, "stowage_calls_total", { stowage_outcome: "error" })).toBe(0);
    const hits = sumOf(samples, "stowage_stats", { db_collection_name: "notes", stowage_layer: "cached", stowage_stat: "hits" });
    expect(hits / counts.get).toBeGreaterThan(0.8);
    expect(calls("file")).toBeLessThan(requests / 4);
    expect(counts.same).toBeGreaterThan(0);
  },
);

test("the clients notice a cache that is old now and then", async () => {
  const storages = await open();
  const get = <V>(name: string): Storage<V> => new StaleStorage(storages.get<V>(name));
  const { names } = storages;
  const bytes = (name: string): ByteStorage => storages.bytes(name);
  const close = (): Promise<void> => storages.close();
  await start(Promise.resolve({ names, get, bytes, explain: () => "", close, [Symbol.asyncDispose]: close }));
  const { problems } = await runClients({ url: server.url, seed: 1, clients: 8, requestsPerClient: 50 });
  expect(problems).toContainEqual(expect.stringMatching(/^GET answered \d+ of [\d,]+ after \d+$/));
});

test("a large file is streamed in and out, and who hangs up in the midst disturbs nobody", async () => {
  await start();
  const chunk = new Uint8Array(64 * 1024).map((_, index) => (index * index) % 251);
  const chunks = 256; // 16 MiB
  const expected = createHash("sha256");
  for (let index = 0; index < chunks; index++) expected.update(chunk);
  let left = chunks;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (left-- > 0 ? controller.enqueue(chunk.slice()) : controller.close()),
  });
  const stored = await fetch(`${server.url}/files/large`, { method: "PUT", body, duplex: "half" });
  expect(stored.status).toBe(204);
  const actual = createHash("sha256");
  for await (const part of (await fetch(`${server.url}/files/large`)).body!) actual.update(part);
  expect(actual.digest("hex")).toBe(expected.digest("hex"));
  await (await fetch(`${server.url}/files/large`)).body!.cancel();
  const health = await fetch(`${server.url}/health`);
  expect(await health.json()).toEqual({ status: "ok" });
  expect(logged).toEqual([]);
});

test("close answers what runs, and then nobody", async () => {
  await start();
  await fetch(`${server.url}/health`); // leaves a connection that waits for its next request
  const put = request(`${server.url}/notes/late`, { method: "PUT", headers: { expect: "100-continue" } });
  const answered = once(put, "response") as Promise<[IncomingMessage]>;
  put.flushHeaders();
  await once(put, "continue"); // the server has begun with it
  const closed = server.close();
  put.end("1");
  const [{ statusCode }] = await answered;
  expect(statusCode).toBe(204);
  await closed;
  await expect(fetch(`${server.url}/health`)).rejects.toThrow("fetch failed");
});

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The text that Prometheus reads; throws where it could not. */
function parsed(text: string): Sample[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const match = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i.exec(line);
    const value = Number(match?.[3]);
    if (match === null || Number.isNaN(value)) throw new Error(`Prometheus cannot read this line: ${line}`);
    const labels = [...(match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, label]) => [name, label]);
    return { name: match[1] as string, labels: Object.fromEntries(labels) as Record<string, string>, value };
  });
}

function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels);
  const chosen = samples.filter((sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value));
  return chosen.reduce((sum, { value }) => sum + value, 0);
}
