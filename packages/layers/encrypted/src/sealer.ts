import type { Bytes } from "@stowage/core";
import { litter, StorageError } from "@stowage/core";
import { chunkBitsFor, chunksOf, endSize, headerSize, largestInSmallChunks, sizeOfChunk, storedSizeOf, writeEnd } from "./format.ts";
import type { Chunks } from "./format.ts";
import type { KeyRing, RingKey } from "./key-ring.ts";
import { mostChunks, roomForNonce, setNonce } from "./nonces.ts";
import { plainChunks } from "./plain-chunks.ts";
import type { Suite } from "./suites.ts";
import { tagSize } from "./sodium.ts";
import { alwaysAtOnce, garbage, turns } from "./turns.ts";
import { roomForDataKey } from "./wrapping.ts";
import type { Wrapping } from "./wrapping.ts";

/** Used again by every value that is encrypted in one step, and wiped after it. */
const dataKeyForNow = roomForDataKey();
const nonceForNow = roomForNonce();

/** Encrypts values. */
export class Sealer {
  readonly #ring: KeyRing;
  readonly #wrapping: Wrapping;
  readonly #suiteFor: (size: number) => Suite;

  constructor(ring: KeyRing, wrapping: Wrapping, suiteFor: (size: number) => Suite) {
    this.#ring = ring;
    this.#wrapping = wrapping;
    this.#suiteFor = suiteFor;
  }

  /** The stored form of a value: at once, unless its key is not there yet or this turn has no time for it. */
  whole(value: Uint8Array, name: string, signal: AbortSignal | undefined): Bytes | Promise<Bytes> {
    const key = this.#ring.current();
    if (key instanceof Promise) return key.then((there) => this.#whole(value, name, there, signal));
    return this.#whole(value, name, key, signal);
  }

  #whole(value: Uint8Array, name: string, key: RingKey, signal: AbortSignal | undefined): Bytes | Promise<Bytes> {
    const { byteLength } = value;
    if (byteLength > largestInSmallChunks || (byteLength > alwaysAtOnce && !turns.hasTime)) return this.#inTurns(value, name, key, signal);
    const suite = this.#suiteFor(byteLength);
    const chunks = chunksOf(byteLength, chunkBitsFor(byteLength));
    const stored = new Uint8Array(storedSizeOf(chunks));
    try {
      this.#wrapping.begin(stored, dataKeyForNow, key, suite.number, chunkBitsFor(byteLength), name);
      for (let index = 0; index < chunks.count; index++) sealChunk(stored, value, chunks, index, suite, nonceForNow, dataKeyForNow);
    } finally {
      dataKeyForNow.fill(0);
    }
    writeEnd(stored, stored.byteLength - endSize, byteLength);
    return stored;
  }

  /** As much in each turn of the event loop as it has time for. */
  async #inTurns(value: Uint8Array, name: string, key: RingKey, signal: AbortSignal | undefined): Promise<Bytes> {
    const { byteLength } = value;
    const suite = this.#suiteFor(byteLength);
    const chunks = chunksOf(byteLength, chunkBitsFor(byteLength));
    const stored = new Uint8Array(storedSizeOf(chunks));
    const [dataKey, nonce] = [roomForDataKey(), roomForNonce()];
    try {
      this.#wrapping.begin(stored, dataKey, key, suite.number, chunkBitsFor(byteLength), name);
      for (let index = 0; index < chunks.count; index++) {
        if (!turns.hasTime) await turns.next();
        signal?.throwIfAborted();
        sealChunk(stored, value, chunks, index, suite, nonce, dataKey);
      }
    } finally {
      dataKey.fill(0);
    }
    writeEnd(stored, stored.byteLength - endSize, byteLength);
    return stored;
  }

  /** The stored form of a stream. One that ends within the first MiB is stored as a value in one piece is. */
  async *stream(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Bytes, void, void> {
    const key = await this.#ring.current();
    const dataKey = roomForDataKey();
    const nonce = roomForNonce();
    const suite = this.#suiteFor(largestInSmallChunks + 1);
    let index = 0;
    let size = 0;
    try {
      for await (const { bytes, last } of plainChunks(source, largestInSmallChunks)) {
        if (index === 0) {
          if (last) return yield await this.#whole(bytes, name, key, undefined);
          const header = new Uint8Array(headerSize);
          this.#wrapping.begin(header, dataKey, key, suite.number, chunkBitsFor(largestInSmallChunks + 1), name);
          yield header;
        }
        if (index === mostChunks) throw tooLarge(name);
        if (!turns.hasTime) await turns.next();
        litter(garbage * bytes.byteLength);
        setNonce(nonce, index++, last);
        size += bytes.byteLength;
        for (const piece of suite.sealApart(bytes, nonce, dataKey)) yield piece;
      }
      const end = new Uint8Array(endSize);
      writeEnd(end, 0, size);
      yield end;
    } finally {
      dataKey.fill(0);
    }
  }
}

function sealChunk(
  stored: Uint8Array,
  value: Uint8Array,
  chunks: Chunks,
  index: number,
  suite: Suite,
  nonce: Uint8Array,
  dataKey: Uint8Array,
): void {
  const { chunkSize, count } = chunks;
  const size = sizeOfChunk(chunks, index);
  const at = headerSize + index * (chunkSize + tagSize);
  const start = index * chunkSize;
  setNonce(nonce, index, index === count - 1);
  suite.seal(stored.subarray(at, at + size + tagSize), count === 1 ? value : value.subarray(start, start + size), nonce, dataKey);
}

function tooLarge(key: string): StorageError {
  return new StorageError("too-large", "An encrypted value has at most 2^32 chunks of 1 MiB.", {
    storage: "encrypted",
    operation: "write",
    key,
  });
}
