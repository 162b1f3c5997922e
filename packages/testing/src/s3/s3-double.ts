import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, Condition } from "@stowage/core";
import { systemClock } from "@stowage/core";
import { decodeBody } from "./bodies.ts";
import { Bucket } from "./bucket.ts";
import type { Fault, S3Faults } from "./faults.ts";
import { Plan } from "./faults.ts";
import type { Answer } from "./operations.ts";
import { perform, xml } from "./operations.ts";
import { Refusal } from "./refusal.ts";
import type { S3Operation, S3Request } from "./requests.ts";
import { readRequest } from "./requests.ts";
import { checkSignature } from "./signatures.ts";

export interface S3DoubleOptions {
  /** The buckets that are there. @default ["bucket"] */
  readonly buckets?: readonly string[] | undefined;
  /** @default "us-east-1" */
  readonly region?: string | undefined;
  /** The conditions that are decided; others are passed over without a word, as some services do. @default all */
  readonly conditions?: readonly Condition[] | undefined;
  /** Keys and uploads on a page at the most. @default 1000 */
  readonly pageSize?: number | undefined;
  /** Matches etags of writes only without quotes, and tells none at the end of an upload, as Ceph before version 17. @default false */
  readonly oldCeph?: boolean | undefined;
  /** The time of the service. @default the clock of the machine */
  readonly clock?: Clock | undefined;
}

/** A request that the double got. */
export interface S3Call {
  readonly operation: S3Operation;
  readonly bucket: string;
  readonly key: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the body as it was sent. */
  readonly size: number;
}

/**
 * An S3 service in this process, on a free port of this machine. It is strict: about signatures, checksums and trailers, lengths, the
 * order of parts, tokens and conditions; and it fails on demand.
 *
 * ```ts
 * const s3 = await s3Double();
 * s3.on("PutObject", "key").answers(503, { code: "SlowDown", retryAfter: "2" });
 * await s3.close();
 * ```
 */
export async function s3Double(options: S3DoubleOptions = {}): Promise<S3Double> {
  const double = new S3Double(options);
  await double.listen();
  return double;
}

/** What `s3Double()` makes. */
export class S3Double {
  readonly region: string;
  readonly accessKeyId = "DOUBLEKEY";
  readonly secretAccessKey = "double/secret";
  /** What came, in order. */
  readonly calls: S3Call[] = [];
  readonly #options: S3DoubleOptions;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  readonly #plan = new Plan();
  readonly #server: Server;

  constructor(options: S3DoubleOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.region = options.region ?? "us-east-1";
    for (const name of options.buckets ?? ["bucket"]) this.addBucket(name);
    this.#server = createServer({ keepAliveTimeout: 30_000 }, (message, response) => {
      this.#serve(message, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Where it listens. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  addBucket(name: string): void {
    const { conditions = ["create", "replace", "delete", "stream"], oldCeph = false } = this.#options;
    this.#buckets.set(name, new Bucket({ clock: this.#clock, conditions, bareEtags: oldCeph }));
  }

  /** What goes wrong with the next request of this kind, for any key unless one is given. */
  on(operation: S3Operation | "any", key?: string): S3Faults {
    return this.#plan.on(operation, key);
  }

  /** The keys of a bucket. */
  keys(bucket: string): readonly string[] {
    return [...this.#bucket(bucket).objects.keys()];
  }

  /** Headers as they are stored with an object. */
  headers(bucket: string, key: string): Readonly<Record<string, string>> {
    return this.#bucket(bucket).get(key).headers;
  }

  /** Puts other bytes in place of those that were stored, and tells nobody. */
  damage(bucket: string, key: string, body: Uint8Array): void {
    const { objects } = this.#bucket(bucket);
    objects.set(key, { ...this.#bucket(bucket).get(key), body: Buffer.from(body) });
  }

  /** The keys of uploads that were begun and neither completed nor aborted. */
  uploads(bucket: string): readonly string[] {
    return [...this.#bucket(bucket).uploads.values()].map(({ key }) => key);
  }

  /** An upload that somebody began so many milliseconds ago, and left. */
  addStaleUpload(bucket: string, key: string, age: number): void {
    this.#bucket(bucket).startUpload(key, {}, this.#clock.now() - age);
  }

  /** Ends at once, with all connections. Calling it again is harmless. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #bucket(name: string): Bucket {
    const found = this.#buckets.get(name);
    if (found === undefined) throw new Refusal(404, "NoSuchBucket", "The specified bucket does not exist.");
    return found;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let request: S3Request;
    try {
      request = readRequest(message);
    } catch (error) {
      message.resume();
      return send(response, refused(error, this.#clock));
    }
    const fault = this.#plan.take(request.operation, request.key);
    const raw = await receive(message, fault);
    if (raw === undefined) return;
    const { operation, bucket, key, headers } = request;
    this.calls.push({ operation, bucket, key, headers, size: raw.length });
    const answer = fault === undefined || fault.effect ? this.#answer(request, raw) : undefined;
    const isHead = request.method === "HEAD";
    if (fault === undefined) return send(response, answer!, isHead);
    await fail(fault, response, answer, isHead, this.#clock);
  }

  #answer(request: S3Request, raw: Buffer): Answer {
    try {
      checkSignature(request, {
        region: this.region,
        accessKeyId: this.accessKeyId,
        secretAccessKey: this.secretAccessKey,
        clock: this.#clock,
      });
      const { pageSize = 1000, oldCeph = false } = this.#options;
      const body = decodeBody(request, raw);
      return perform(request, body, this.#bucket(request.bucket), { pageSize, tellsUploadEtag: !oldCeph });
    } catch (error) {
      return refused(error, this.#clock);
    }
  }
}

/** The body of a request; nothing where its connection is reset on the way. */
async function receive(message: IncomingMessage, fault: Fault | undefined): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  const limit = fault?.kind === "resetsRequest" ? fault.after : Infinity;
  try {
    if (limit === 0) throw new Error("reset");
    for await (const chunk of message as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= limit) throw new Error("reset");
    }
  } catch {
    message.socket.resetAndDestroy();
    return undefined;
  }
  return Buffer.concat(chunks);
}

function refused(error: unknown, clock: Clock): Answer {
  if (!(error instanceof Refusal)) throw error;
  return errorAnswer(error.status, error.code, error.message, clock);
}

function errorAnswer(status: number, code: string, message: string, clock: Clock, retryAfter?: string): Answer {
  const headers = { date: new Date(clock.now()).toUTCString(), ...(retryAfter !== undefined && { "retry-after": retryAfter }) };
  return xml("Error", { Code: code, Message: message, RequestId: "double" }, status, headers);
}

async function fail(fault: Fault, response: ServerResponse, answer: Answer | undefined, isHead: boolean, clock: Clock): Promise<void> {
  switch (fault.kind) {
    case "answers":
      return send(response, errorAnswer(fault.status, fault.code, "A fault that was asked for.", clock, fault.retryAfter), isHead);
    case "resetsAnswer": {
      const { socket } = response;
      if (fault.after === 0 || answer === undefined) return void socket?.resetAndDestroy();
      const bytes = Buffer.concat([headOf(answer, answer.body.length), answer.body]).subarray(0, fault.after);
      // A reset would throw away what is still on its way.
      return void socket?.end(bytes);
    }
    case "lies":
      return void response.socket?.end(Buffer.concat([headOf(answer!, answer!.body.length + fault.more), answer!.body]));
    case "slows": {
      const { status, headers, body } = answer!;
      response.writeHead(status, { ...headers, "content-length": body.length });
      const length = Math.ceil(body.length / fault.pieces);
      for (let at = 0; at < body.length; at += length) {
        response.write(body.subarray(at, at + length));
        await sleep(fault.pause);
      }
      return void response.end();
    }
    case "hangs":
    case "resetsRequest":
  }
}

function send(response: ServerResponse, { status, headers, body }: Answer, isHead = false): void {
  response.writeHead(status, status === 204 ? headers : { ...headers, "content-length": body.length });
  response.end(isHead ? undefined : body);
}

function headOf({ status, headers }: Answer, length: number): Buffer {
  const lines = Object.entries({ ...headers, "content-length": String(length) }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} -\r\n${lines.join("")}\r\n`);
}
