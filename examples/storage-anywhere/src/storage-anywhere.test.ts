import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { S3Address } from "@stowage-tools/servers";
import { cephServer, redisServer, skipReason } from "@stowage-tools/servers";
import { expect, onTestFinished, test } from "vitest";

type Backend = "file" | "sqlite" | "redis" | "s3";

/** The file of the example with another backend: its line without the "#", and with the addresses of the servers of this test. */
async function storageFile(backend: Backend, ...addresses: readonly [from: string, to: string][]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-anywhere-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  let text = await readFile(join(import.meta.dirname, "../storage.yaml"), "utf8");
  const before = text;
  if (backend !== "file") text = text.replace("      file:", "      # file:").replace(`      # ${backend}:`, `      ${backend}:`);
  expect(text === before).toBe(backend === "file");
  for (const [from, to] of addresses) text = text.replace(from, to);
  await writeFile(join(folder, "storage.yaml"), text);
  return join(folder, "storage.yaml");
}

async function run(config: string, ...args: string[]): Promise<string> {
  const program = ["--conditions=@stowage/source", "--no-warnings", join(import.meta.dirname, "main.ts"), ...args, "--config", config];
  const { stdout } = await promisify(execFile)(process.execPath, program, { env: { ...process.env, S3_SECRET: "TESTSECRET" } });
  return stdout;
}

/** What the program does on every backend: visits at the same moment are all counted, and notes are kept. */
async function keepsTheBook(config: string): Promise<void> {
  expect(await run(config, "Ada", "--note", "Lovely!")).toContain("Welcome, Ada: this is visit 1.");
  await Promise.all([run(config, "Bob"), run(config, "Bob"), run(config, "Bob")]);
  const lines = (await run(config, "Ada")).trimEnd().split("\n");
  expect(lines.slice(-2)).toEqual(['Ada: 2 visits, "Lovely!"', "Bob: 3 visits"]);
}

async function makeBucket({ endpoint, region, accessKeyId, secretAccessKey }: S3Address, name: string): Promise<void> {
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
}

/** In CI every server is there: a test that cannot run is a failure. */
function needs(name: "redis" | "ceph"): { skip: boolean; timeout: number } {
  const reason = skipReason(name);
  if (reason !== undefined && process.env["CI"] !== undefined) throw new Error(reason);
  return { skip: reason !== undefined, timeout: 180_000 };
}

test.each(["file", "sqlite"] as const)("the guest book is kept in %s", { timeout: 60_000 }, async (backend) => {
  await keepsTheBook(await storageFile(backend));
});

test("the guest book is kept in Redis, by changing one line", needs("redis"), async () => {
  const redis = await redisServer({ durable: true });
  onTestFinished(() => redis.stop());
  await keepsTheBook(await storageFile("redis", ["redis://127.0.0.1:6379", redis.url]));
});

test("the guest book is kept in Ceph, by changing one line", needs("ceph"), async () => {
  const ceph = await cephServer();
  onTestFinished(() => ceph.stop());
  await makeBucket(ceph, "guests");
  await keepsTheBook(await storageFile("s3", ["http://127.0.0.1:8000", ceph.endpoint]));
});
