import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { Bytes, ByteStorage } from "@stowage/core";
import { s3Storage } from "@stowage/s3";
import { Operator } from "opendal";
import type { Comparison, Contender } from "../harness/compare.ts";
import { compare } from "../harness/compare.ts";
import { growthOf } from "../harness/growth.ts";
import { figure, perSecond } from "../harness/report.ts";
import type { Bench, Workload } from "../harness/workload.ts";

/** The S3 storage against the SDK used by hand, over a service that does nothing, in a process of its own. */
export const s3: Workload = {
  name: "s3",
  about: "Over a service in another process that does nothing; in brackets the speed as a share of the AWS SDK by hand.",
  async run(bench) {
    const service = await startService();
    const peers = peersAt(service.endpoint);
    try {
      for (const { size, inFlight, count } of [
        { size: 1024, inFlight: 1, count: bench.pick(100, 2) },
        { size: 1024, inFlight: 32, count: bench.pick(320, 32) },
        { size: 5 * mebibyte, inFlight: 1, count: bench.pick(3, 1) },
      ]) {
        await sized(bench, peers, size, inFlight, count);
      }
      await uploads(bench, peers, service.endpoint);
    } finally {
      for (const peer of peers) await peer.close();
      service.stop();
    }
  },
};

const mebibyte = 2 ** 20;
const byHand = "@aws-sdk/client-s3 by hand";
const ours = "s3";
const onSdk = "s3 with the client of the SDK";
const opendal = "opendal";
const credentials = { accessKeyId: "name", secretAccessKey: "secret" };
const bucket = "bucket";
const partSize = 8 * mebibyte;

/** Something that puts and gets objects. */
interface Peer {
  readonly name: string;
  put(key: string, value: Bytes): Promise<unknown>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Stores a stream of so many bytes. */
  readonly write: ((key: string, size: number) => Promise<unknown>) | undefined;
  close(): Promise<void>;
}

async function sized(bench: Bench, peers: readonly Peer[], size: number, inFlight: number, count: number): Promise<void> {
  const value = new Uint8Array(size).fill(7);
  const keys = Array.from({ length: count }, (_, index) => `${size}/key-${index}`);
  const results: Record<string, Comparison> = {};
  const calls: Readonly<Record<string, (peer: Peer, key: string) => Promise<unknown>>> = {
    put: (peer, key) => peer.put(key, value),
    get: (peer, key) => peer.get(key),
  };
  for (const [operation, call] of Object.entries(calls)) {
    for (const peer of peers) await Promise.all(keys.slice(0, 32).map((key) => call(peer, key)));
    const contenders = peers.map((peer): Contender => ({
      name: peer.name,
      operations: count,
      run: () => clients(inFlight, keys, (key) => call(peer, key)),
    }));
    results[operation] = await compare(contenders, bench.quick);
  }
  const label = `${size === 1024 ? "1 KiB" : "5 MiB"}, ${inFlight} in flight`;
  const rows = peers.map(({ name }) => [name, ...Object.values(results).map((result) => cell(result, name))]);
  bench.report.table(`s3, ${label}`, ["contender", ...Object.keys(results).map((operation) => `${operation}/s`)], rows);
  for (const [operation, result] of Object.entries(results)) {
    const wanted = size > 1024 ? 1.2 : inFlight === 1 ? 2.5 : 6;
    bench.report.atLeast(`${operation} of ${label}, of the SDK`, result.ratio(ours, byHand), wanted);
    bench.report.atLeast(`${operation} of ${label} with the client of the SDK, of the SDK`, result.ratio(onSdk, byHand), 0.9);
    if (size === 1024) bench.report.atLeast(`${operation} of ${label}, of opendal`, result.ratio(ours, opendal), 0.75);
  }
}

async function uploads(bench: Bench, peers: readonly Peer[], endpoint: string): Promise<void> {
  const size = bench.pick(256 * mebibyte, 17 * mebibyte);
  const contenders = peers.flatMap(({ name, write }): Contender[] =>
    write === undefined ? [] : [{ name, operations: 1, run: async () => void (await write("stream", size)) }],
  );
  const result = await compare(contenders, bench.long);
  const rate = (name: string): string => `${figure(size / 1e6 / (result.nanoseconds(name) / 1e9))} (${figure(result.ratio(name, byHand))})`;
  bench.report.table(
    "s3, upload of 256 MiB from a stream",
    ["contender", "MB/s"],
    contenders.map(({ name }) => [name, rate(name)]),
  );
  bench.report.atLeast("upload of 256 MiB, of the SDK", result.ratio(ours, byHand), 1.3);
  bench.report.atLeast("upload of 256 MiB with the client of the SDK, of the SDK", result.ratio(onSdk, byHand), 0.9);
  bench.report.atMost("memory for an upload of 256 MiB", await growthOf("write-s3", String(size), endpoint), 64, " MiB");
}

const cell = (result: Comparison, name: string): string => `${perSecond(result.nanoseconds(name))} (${figure(result.ratio(name, byHand))})`;

/** Calls for all keys, so many at once. */
async function clients(inFlight: number, keys: readonly string[], call: (key: string) => Promise<unknown>): Promise<void> {
  const client = async (first: number): Promise<void> => {
    for (let index = first; index < keys.length; index += inFlight) await call(keys[index]!);
  };
  await Promise.all(Array.from({ length: inFlight }, (_, first) => client(first)));
}

function peersAt(endpoint: string): readonly Peer[] {
  const options = { endpoint, region: "us-east-1", credentials, forcePathStyle: true } as const;
  const client = new S3Client(options);
  const another = new S3Client(options);
  return [
    bySdk(client),
    byStorage(ours, s3Storage({ bucket, endpoint, credentials, partSize }), async () => {}),
    byStorage(onSdk, s3Storage({ bucket, client: another, partSize }), async () => another.destroy()),
    byOpendal(endpoint),
  ];
}

function byStorage(name: string, storage: ByteStorage, end: () => Promise<void>): Peer {
  return {
    name,
    put: (key, value) => storage.put(key, value),
    get: (key) => storage.get(key),
    write: (key, size) => storage.write(key, chunksOf(size)),
    async close() {
      await storage.close();
      await end();
    },
  };
}

function bySdk(client: S3Client): Peer {
  return {
    name: byHand,
    put: (key, value) => client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: value })),
    async get(key) {
      return await (await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))).Body?.transformToByteArray();
    },
    write: (key, size) => uploadByHand(client, key, size),
    close: async () => client.destroy(),
  };
}

function byOpendal(endpoint: string): Peer {
  const operator = new Operator("s3", {
    root: "/",
    bucket,
    endpoint,
    region: "us-east-1",
    access_key_id: credentials.accessKeyId,
    secret_access_key: credentials.secretAccessKey,
    disable_config_load: "true",
    disable_ec2_metadata: "true",
  });
  return {
    name: opendal,
    put: (key, value) => operator.write(key, value as Buffer),
    get: (key) => operator.read(key),
    write: undefined,
    close: async () => {},
  };
}

/** Four parts at once, as the storage does it. */
async function uploadByHand(client: S3Client, key: string, size: number): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }));
  const parts: { readonly PartNumber: number; readonly ETag: string | undefined }[] = [];
  const running = new Set<Promise<void>>();
  const send = async (PartNumber: number, Body: Uint8Array): Promise<void> => {
    const { ETag } = await client.send(new UploadPartCommand({ Bucket: bucket, Key: key, UploadId, PartNumber, Body }));
    parts.push({ PartNumber, ETag });
  };
  let number = 0;
  let filled = 0;
  let part = new Uint8Array(partSize);
  const flush = async (): Promise<void> => {
    const sending: Promise<void> = send(++number, part.subarray(0, filled)).finally(() => running.delete(sending));
    running.add(sending);
    part = new Uint8Array(partSize);
    filled = 0;
    if (running.size >= 4) await Promise.race(running);
  };
  for await (const chunk of chunksOf(size)) {
    if (filled + chunk.length > partSize) await flush();
    part.set(chunk, filled);
    filled += chunk.length;
  }
  await flush();
  await Promise.all(running);
  const Parts = parts.toSorted((a, b) => a.PartNumber - b.PartNumber);
  await client.send(new CompleteMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId, MultipartUpload: { Parts } }));
}

async function* chunksOf(size: number): AsyncGenerator<Bytes> {
  const chunk = new Uint8Array(256 * 1024).fill(7);
  for (let given = 0; given < size; given += chunk.length) yield chunk;
}

async function startService(): Promise<{ readonly endpoint: string; stop(): void }> {
  const child = spawn(process.execPath, [new URL("../harness/s3-stub.ts", import.meta.url).pathname], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  return { endpoint: `http://127.0.0.1:${String(port).trim()}`, stop: () => void child.kill() };
}
