import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { Bytes } from "@stowage/core";
import { copyBytes, litter, StorageError } from "@stowage/core";
import { brokenConnection } from "./lean/http-client.ts";
import { cutAnswer } from "./lean/answers.ts";
import type { CallName } from "./errors.ts";
import { storageName, translate } from "./errors.ts";
import type { Download } from "./transport.ts";

/** What a body is checked against, and whose it is. */
export interface Expected {
  readonly operation: CallName;
  readonly key: string;
  /** SHA-256 in hex of the whole body; not checked where there is none. */
  readonly sha256: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The whole body. A connection that ends early is an error, and not a short value. */
export function collect({ body, length }: Download, expected: Expected): Promise<Bytes> {
  const { signal } = expected;
  return new Promise((resolve, reject) => {
    let whole: Bytes | undefined;
    let received = 0;
    let failed = false;
    const stop = (): void => {
      signal?.removeEventListener("abort", abort);
      body.removeListener("close", cut);
    };
    const fail = (error: unknown): void => {
      failed = true;
      stop();
      body.destroy();
      reject(error);
    };
    const abort = (): void => fail(signal!.reason);
    const cut = (): void => fail(translate(cutAnswer(), expected.operation, expected.key));
    if (signal?.aborted === true) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    body.on("data", (chunk: Uint8Array) => {
      if (failed) return; // what was in its buffers comes all the same
      if (received + chunk.byteLength > length) return cut();
      if (chunk.byteLength === length) whole = owned(chunk);
      else {
        try {
          whole ??= new Uint8Array(length);
        } catch (error) {
          return fail(tooLarge(length, expected, error));
        }
        whole.set(chunk, received);
      }
      received += chunk.byteLength;
    });
    body.once("error", (error: Error) => fail(translate(brokenConnection(error), expected.operation, expected.key)));
    body.once("close", cut);
    body.once("end", () => {
      if (received !== length) return cut();
      stop();
      const value = whole ?? new Uint8Array(0);
      const damage = expected.sha256 === undefined ? undefined : damageOf(createHash("sha256").update(value).digest("hex"), expected);
      if (damage === undefined) resolve(value);
      else reject(damage);
    });
  });
}

/**
 * The body as a stream that takes from the connection what its reader asks for. Its end is only told when all bytes came,
 * and they are those that were stored, where that can be checked.
 */
export function streamDownload(download: Download, expected: Expected): ReadableStream<Bytes> {
  const source = new BodySource(download, expected);
  return new ReadableStream<Bytes>(source, { highWaterMark: 0 });
}

/** Times the bytes of a chunk that `litter` is told: chunks of a socket are small. Measured on 1 GiB: 33 to 50 MiB of memory instead of 79 to 89. */
const garbage = 2;

class BodySource {
  readonly #body: Readable;
  readonly #length: number;
  readonly #expected: Expected;
  readonly #hash: ReturnType<typeof createHash> | undefined;
  #controller: ReadableStreamDefaultController<Bytes> | undefined;
  #received = 0;
  #isOver = false;
  #wake: (() => void) | undefined;
  readonly #abort = (): void => this.#fail(this.#expected.signal!.reason);

  constructor({ body, length }: Download, expected: Expected) {
    this.#body = body;
    this.#length = length;
    this.#expected = expected;
    this.#hash = expected.sha256 === undefined ? undefined : createHash("sha256");
  }

  start(controller: ReadableStreamDefaultController<Bytes>): void {
    this.#controller = controller;
    const { signal } = this.#expected;
    // One chunk for each pull, and those that are not asked for wait where they are.
    this.#body.on("data", (chunk: Uint8Array) => {
      if (this.#isOver) return; // what was in its buffers comes all the same
      if (this.#received + chunk.byteLength < this.#length) this.#body.pause();
      this.#give(chunk);
      this.#wake?.();
    });
    this.#body.pause();
    this.#body.once("error", (error) => this.#fail(this.#translated(brokenConnection(error))));
    this.#body.once("end", () => this.#end());
    this.#body.once("close", () => this.#fail(this.#translated(cutAnswer())));
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener("abort", this.#abort, { once: true });
  }

  pull(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#body.resume();
    });
  }

  cancel(): void {
    this.#stop();
    this.#body.destroy();
  }

  #give(chunk: Uint8Array): void {
    this.#received += chunk.byteLength;
    if (this.#received > this.#length) return this.#fail(this.#translated(cutAnswer()));
    this.#hash?.update(chunk);
    litter(garbage * chunk.byteLength);
    this.#controller!.enqueue(owned(chunk));
  }

  #end(): void {
    if (this.#isOver) return;
    if (this.#received !== this.#length) return this.#fail(this.#translated(cutAnswer()));
    const damage = this.#hash === undefined ? undefined : damageOf(this.#hash.digest("hex"), this.#expected);
    if (damage !== undefined) return this.#fail(damage);
    this.#stop();
    this.#controller!.close();
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#stop();
    this.#body.destroy();
    this.#controller!.error(error);
  }

  #stop(): void {
    this.#isOver = true;
    this.#expected.signal?.removeEventListener("abort", this.#abort);
    this.#wake?.();
  }

  #translated(failure: unknown): unknown {
    return translate(failure, this.#expected.operation, this.#expected.key);
  }
}

/** The bytes of a chunk as they are where it owns all of its memory, else copied. */
function owned(chunk: Uint8Array): Bytes {
  const { buffer } = chunk;
  return buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength ? new Uint8Array(buffer) : copyBytes(chunk);
}

function tooLarge(length: number, { operation, key }: Expected, cause: unknown): StorageError {
  const message = `The value has ${length} bytes, which do not fit into memory; read it as a stream.`;
  return new StorageError("too-large", message, { operation, storage: storageName, key, cause });
}

function damageOf(found: string, { sha256, operation, key }: Expected): StorageError | undefined {
  if (found === sha256) return undefined;
  const message = "The bytes are not those that were stored: their SHA-256 is another one.";
  return new StorageError("corrupt", message, { operation, storage: storageName, key });
}
