import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseStorages } from "@stowage/config";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunningServer } from "./server.ts";
import { startServer } from "./server.ts";

const clients = 64;
const requestsPerClient = process.env["STOWAGE_EFFORT"] === "full" ? 1_000 : 60;
const keys = 128;

let directory: string;
let server: RunningServer;
const logged: unknown[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "web-cache-"));
  const text = await readFile(join(import.meta.dirname, "../storage.yaml"), "utf8"); // the stack of the example, in another folder
  server = await startServer({ open: () => parseStorages(text, { directory }), log: (error) => void logged.push(error) });
});

afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
  logged.length = 0;
});

/** What is known of one key, which one client writes and all read. */
interface Known {
  /** The last write that was acknowledged. */
  acknowledged: number;
  /** Writes that deleted. */
  readonly deletes: Set<number>;
  /** The write that made each version. */
  readonly versions: Map<string, number>;
  /** The last version that anybody saw. */
  etag: string | undefined;
}

const newKnown = (): Known => ({ acknowledged: 0, deletes: new Set([0]), versions: new Map(), etag: undefined });

test("64 clients get no error, never an old value, mostly from the cache, and the metrics count each request", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const counts = { get: 0, put: 0, delete: 0, same: 0 };
  const known = Array.from({ length: keys }, newKnown);
  const problems: string[] = [];

  const write = async (client: number, random: () => number): Promise<void> => {
    const key = client + clients * Math.floor(random() * (keys / clients)); // nobody else writes it
    const state = known[key] as Known;
    const number = state.acknowledged + 1;
    if (random() < 0.1) {
      counts.delete++;
      state.deletes.add(number);
      const { status } = await fetch(`${server.url}/notes/${key}`, { method: "DELETE" });
      if (status !== 204) problems.push(`DELETE answered ${status}`);
    } else {
      counts.put++;
      const { status, headers } = await fetch(`${server.url}/notes/${key}`, { method: "PUT", body: JSON.stringify({ number }) });
      state.versions.set(headers.get("etag") ?? "", number);
      if (status !== 204) problems.push(`PUT answered ${status}`);
    }
    state.acknowledged = number;
  };

  const read = async (random: () => number): Promise<void> => {
    counts.get++;
    const key = Math.floor(keys * random() ** 3); // some are wanted more than others
    const state = known[key] as Known;
    const least = state.acknowledged;
    const asked = random() < 0.5 ? state.etag : undefined;
    const answer = await fetch(`${server.url}/notes/${key}`, { headers: asked === undefined ? {} : { "if-none-match": asked } });
    const seen = await numbersSeen(answer, state, asked);
    if (answer.status === 304) counts.same++;
    if (!seen.some((number) => number >= least)) problems.push(`GET answered ${answer.status} of ${seen.join()} after ${least}`);
  };

  /** The writes that an answer may show. */
  const numbersSeen = async (answer: Response, state: Known, asked: string | undefined): Promise<number[]> => {
    if (answer.status === 304) return [state.versions.get(asked ?? "") ?? -1];
    const body = (await answer.json()) as { readonly number: number };
    if (answer.status === 404) return [...state.deletes];
    const etag = answer.headers.get("etag");
    if (answer.status !== 200 || etag === null) return [];
    state.versions.set(etag, body.number);
    state.etag = etag;
    return [body.number];
  };

  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const random = seeded(seed + client);
      for (let number = 0; number < requestsPerClient; number++) await (random() < 0.08 ? write(client, random) : read(random));
    }),
  );

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
  expect([calls("cached", "getEntry"), calls("cached", "put"), calls("cached", "delete")]).toEqual([counts.get, counts.put, counts.delete]);
  expect(calls("cached")).toBe(requests);
  expect(sumOf(samples, "stowage_calls_total", { stowage_outcome: "error" })).toBe(0);
  const hits = sumOf(samples, "stowage_stats", { db_collection_name: "notes", stowage_layer: "cached", stowage_stat: "hits" });
  expect(hits / counts.get).toBeGreaterThan(0.8);
  expect(calls("file")).toBeLessThan(requests / 4);
  expect(counts.same).toBeGreaterThan(0);
});

test("a large file is streamed in and out, and who hangs up in the midst disturbs nobody", async () => {
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

/** Numbers from 0 up to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

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
