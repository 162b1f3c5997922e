import { createConnection } from "node:net";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3Address } from "@stowage-tools/servers";
import { cephServer, redisServer, skipReason } from "@stowage-tools/servers";
import { expect, onTestFinished, test, vi } from "vitest";
import { Command } from "./testing/command.ts";
import { contentsOf, fill, withStorages } from "./testing/contents.ts";
import { storageFile } from "./testing/folder.ts";

const full = process.env["STOWAGE_EFFORT"] === "full";
const count = full ? 3_000 : 300;

/** In CI every server is there: a test that cannot run is a failure. */
function needs(name: "redis" | "ceph"): { skip: boolean; timeout: number } {
  const reason = skipReason(name);
  if (reason !== undefined && process.env["CI"] !== undefined) throw new Error(reason);
  return { skip: reason !== undefined, timeout: 300_000 };
}

/** Moves with one interruption half-way, and again until it is done; gives what the last run said. */
async function movedInTwo(path: string, from: string, to: string): Promise<string> {
  const killed = new Command([path, from, to, "--concurrency", "4"]);
  await killed.says("copy: ", 5);
  await killed.kill();
  const command = new Command([path, from, to]);
  expect(await command.end(), command.output).toBe(0);
  return command.output;
}

const contents = (path: string, name: string): Promise<Map<string, string>> =>
  withStorages(path, (storages) => contentsOf(storages.bytes(name)));

test("a folder moves into a bucket of Ceph, also when the first run is killed", needs("ceph"), async () => {
  const ceph = await cephServer();
  onTestFinished(() => ceph.stop());
  vi.stubEnv("MOVE_TEST_SECRET", ceph.secretAccessKey);
  const path = await storageFile(`
storages:
  folder: { backend: { file: { directory: ./files, durability: process } } }
  bucket: ${bucketOf(ceph, "conditions: [create, replace]")}
  below: ${bucketOf(ceph, `conditions: [create, replace], prefix: "${"p".repeat(1_000)}/"`)}
`);
  await makeBucket(ceph);
  await withStorages(path, (storages) => fill(storages.bytes("folder"), count, { whole: false }));
  const before = await contents(path, "folder");
  expect(await movedInTwo(path, "folder", "bucket")).toContain(`Done: ${count} entries, the same in the target as in the source`);
  expect(await contents(path, "bucket")).toEqual(before);

  const long = `${"x".repeat(30)}.txt`;
  await withStorages(path, (storages) => storages.bytes("folder").put(long, new Uint8Array(1)));
  const refused = new Command([path, "folder", "below"]);
  expect(await refused.end()).toBe(1);
  expect(refused.output).toContain(`${JSON.stringify(long)}  A key must be at most 1024 bytes`);
  expect((await contents(path, "below")).size).toBe(0);
});

test("Redis moves into SQLite, also when the first run is killed, and is empty at the end", needs("redis"), async () => {
  const redis = await redisServer();
  onTestFinished(() => redis.stop());
  const path = await storageFile(`
storages:
  redis: { backend: { redis: { url: "${redis.url}" } } }
  database: { backend: { sqlite: { path: ./data.db, durability: process } } }
`);
  await withStorages(path, (storages) => fill(storages.bytes("redis"), count, { whole: true }));
  const before = await contents(path, "redis");
  expect(before.size).toBe(count);
  expect(await movedInTwo(path, "redis", "database")).toContain(`Done: ${count} entries, the same in the target as in the source`);
  expect(await contents(path, "database")).toEqual(before);

  const command = new Command([path, "redis", "database", "--remove"]);
  expect(await command.end(), command.output).toBe(0);
  expect(command.output).toContain(`${count} entries removed from the source.`);
  expect((await contents(path, "redis")).size).toBe(0);
  expect(await contents(path, "database")).toEqual(before);
});

test("it ends cleanly when it is interrupted, says how to go on, and the next run does", needs("redis"), async () => {
  const redis = await redisServer();
  onTestFinished(() => redis.stop());
  const path = await storageFile(`
storages:
  database: { backend: { sqlite: { path: ./data.db, durability: process } } }
  redis:
    backend: { redis: { url: "${redis.url}" } }
    layers: [retry: { attempts: 1_000, minDelay: 1h, maxDelay: 1h, attemptTimeout: 1h, totalTimeout: 1h }]
`);
  await withStorages(path, (storages) => fill(storages.bytes("database"), 100, { whole: true }));
  const begun = new Command([path, "database", "redis", "--prefix", "entries/1/"]);
  expect(await begun.end(), begun.output).toBe(0);

  await ask(redis.port, "CONFIG SET min-replicas-to-write 1"); // no write succeeds from here on, so the command cannot come to its end
  const command = new Command([path, "database", "redis", "--concurrency", "1"]);
  await expect.poll(() => ask(redis.port, "INFO errorstats"), { timeout: 60_000 }).toContain("NOREPLICAS");
  command.process.kill("SIGINT");
  expect(await command.end(), command.output).toBe(130);
  expect(command.lines.at(-1)).toBe("Interrupted. Nothing is lost: the same command goes on from here.");

  await ask(redis.port, "CONFIG SET min-replicas-to-write 0");
  const next = new Command([path, "database", "redis"]);
  expect(await next.end(), next.output).toBe(0);
  expect(next.output).toContain("10 are in the target already, 90 are to be copied");
  expect(await contents(path, "redis")).toEqual(await contents(path, "database"));
});

async function ask(port: number, command: string): Promise<string> {
  const socket = createConnection({ port, host: "127.0.0.1" });
  socket.end(`${command}\r\nQUIT\r\n`);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

function bucketOf({ endpoint, region, accessKeyId }: S3Address, more: string): string {
  const credentials = `credentials: { accessKeyId: ${accessKeyId}, secretAccessKey: { fromEnv: MOVE_TEST_SECRET } }`;
  return `{ backend: { s3: { endpoint: "${endpoint}", region: ${region}, bucket: moved, ${credentials}, ${more} } } }`;
}

async function makeBucket({ endpoint, region, accessKeyId, secretAccessKey }: S3Address): Promise<void> {
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  await client.send(new CreateBucketCommand({ Bucket: "moved" }));
  client.destroy();
}
