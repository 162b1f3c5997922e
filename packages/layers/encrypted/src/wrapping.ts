import { timingSafeEqual } from "node:crypto";
import { checkKey } from "@stowage/core";
import { commitmentIn, keySize, nonceIn, prefixOf, wrappedIn } from "./format.ts";
import type { ChunkBits, SuiteNumber } from "./format.ts";
import type { RingKey } from "./key-ring.ts";
import { fillRandom } from "./random.ts";
import { openXChaCha, sealXChaCha } from "./sodium.ts";

/** UTF-16 units of the longest name; whether it is one at all is for the storage below to say. */
const longestName = 1024;

/** Puts data keys into headers and takes them out, bound to where the value belongs. */
export class Wrapping {
  /** The additional data: the start of a header, the context, the name. Memory that every call uses again. */
  readonly #bound: Uint8Array;
  readonly #nameAt: number;
  readonly #encoder = new TextEncoder();

  constructor(context: string) {
    const bytes = new TextEncoder().encode(context);
    const prefixSize = prefixOf(new Uint8Array(256)).byteLength;
    this.#nameAt = prefixSize + 4 + bytes.byteLength + 4;
    this.#bound = new Uint8Array(this.#nameAt + 3 * longestName);
    writeLength(this.#bound, prefixSize, bytes.byteLength);
    this.#bound.set(bytes, prefixSize + 4);
  }

  /** Writes the header of a new value, and its new data key into `dataKey`. */
  begin(header: Uint8Array, dataKey: Uint8Array, key: RingKey, suite: SuiteNumber, chunkBits: ChunkBits, name: string): void {
    fillRandom(dataKey);
    this.wrap(header, dataKey, key, suite, chunkBits, name);
  }

  /** Writes a header that holds a data key. */
  wrap(header: Uint8Array, dataKey: Uint8Array, key: RingKey, suite: SuiteNumber, chunkBits: ChunkBits, name: string): void {
    const prefix = key.prefix(suite, chunkBits);
    header.set(prefix);
    const nonce = nonceIn(header);
    fillRandom(nonce);
    sealXChaCha(wrappedIn(header), dataKey, this.#additional(prefix, name), nonce, key.secret);
  }

  /** Takes the data key out of a header into `dataKey`. Answers what is wrong where that cannot be done. */
  unwrap(header: Uint8Array, dataKey: Uint8Array, key: RingKey, name: string): "wrong key" | "header" | undefined {
    if (!timingSafeEqual(commitmentIn(header), key.commitment)) return "wrong key";
    const opened = openXChaCha(dataKey, wrappedIn(header), this.#additional(prefixOf(header), name), nonceIn(header), key.secret);
    return opened ? undefined : "header";
  }

  #additional(prefix: Uint8Array, name: string): Uint8Array {
    if (typeof name !== "string" || name.length > longestName) checkKey(name, "put", "encrypted");
    const bound = this.#bound;
    bound.set(prefix);
    const { written } = this.#encoder.encodeInto(name, bound.subarray(this.#nameAt));
    writeLength(bound, this.#nameAt - 4, written);
    return bound.subarray(0, this.#nameAt + written);
  }
}

/** Memory for a data key, to be wiped after use. */
export const roomForDataKey = (): Uint8Array => new Uint8Array(keySize);

function writeLength(target: Uint8Array, at: number, length: number): void {
  target[at] = length & 0xff;
  target[at + 1] = (length >> 8) & 0xff;
  target[at + 2] = (length >> 16) & 0xff;
  target[at + 3] = length >>> 24;
}
