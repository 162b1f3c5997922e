import type { Bytes, StoredLayout, StoredValue } from "@stowage/core";
import { copyBytes, headerOf, litter, missingLayer } from "@stowage/core";
import {
  chunkAt,
  chunkBitsOf,
  chunksOf,
  endSize,
  headerSize,
  isCutInHeader,
  isEnd,
  isOurs,
  largestInSmallChunks,
  sizeOfChunk,
  storedChunks,
  suiteOf,
} from "./format.ts";
import type { Chunks } from "./format.ts";
import type { KeyRing, RingKey } from "./key-ring.ts";
import { roomForNonce, setNonce } from "./nonces.ts";
import { Pieces } from "./pieces.ts";
import { tagSize } from "./sodium.ts";
import { suiteByNumber } from "./suites.ts";
import type { Suite } from "./suites.ts";
import { alwaysAtOnce, garbage, turns } from "./turns.ts";
import { unreadable } from "./unreadable.ts";
import { roomForDataKey } from "./wrapping.ts";
import type { Wrapping } from "./wrapping.ts";

/** What is known of a stored value after its header was checked. Without chunks it is from before this layer. */
export interface EncryptedLayout extends StoredLayout {
  readonly size: number;
  readonly sealed?: { readonly header: Bytes; readonly chunks: Chunks } | undefined;
}

/** Used again by every value that is decrypted in one step, and wiped after it. */
const dataKeyForNow = roomForDataKey();
const nonceForNow = roomForNonce();

/** Decrypts values, in the order of checks of docs/formats.md. */
export class Opener {
  readonly #ring: KeyRing;
  readonly #wrapping: Wrapping;
  readonly #isLegacyTime: () => boolean;
  /** Values that were given as they are. */
  legacyReads = 0;

  constructor(ring: KeyRing, wrapping: Wrapping, isLegacyTime: () => boolean) {
    this.#ring = ring;
    this.#wrapping = wrapping;
    this.#isLegacyTime = isLegacyTime;
  }

  /** The value of a stored form: at once, unless its key is not there yet or this turn has no time for it. */
  whole(stored: Bytes, name: string, signal: AbortSignal | undefined): Bytes | Promise<Bytes> {
    if (!this.isSealed(stored, name)) {
      this.legacyReads++;
      return copyBytes(stored);
    }
    const key = this.keyOf(stored, name);
    if (key instanceof Promise) return key.then((there) => this.#whole(stored, name, there, signal));
    return this.#whole(stored, name, key, signal);
  }

  #whole(stored: Bytes, name: string, key: RingKey, signal: AbortSignal | undefined): Bytes | Promise<Bytes> {
    const { byteLength } = stored;
    if (byteLength > largestInSmallChunks || (byteLength > alwaysAtOnce && !turns.hasTime)) return this.#inTurns(stored, name, key, signal);
    try {
      const { suite, chunks } = this.begin(stored, byteLength, dataKeyForNow, key, name);
      checkEnd(stored, byteLength - endSize, chunks, name);
      const value = new Uint8Array(chunks.size);
      for (let index = 0; index < chunks.count; index++) openChunk(value, stored, chunks, index, suite, nonceForNow, dataKeyForNow, name);
      return value;
    } finally {
      dataKeyForNow.fill(0);
    }
  }

  async #inTurns(stored: Bytes, name: string, key: RingKey, signal: AbortSignal | undefined): Promise<Bytes> {
    const [dataKey, nonce] = [roomForDataKey(), roomForNonce()];
    try {
      const { suite, chunks } = this.begin(stored, stored.byteLength, dataKey, key, name);
      checkEnd(stored, stored.byteLength - endSize, chunks, name);
      const value = new Uint8Array(chunks.size);
      for (let index = 0; index < chunks.count; index++) {
        if (!turns.hasTime) await turns.next();
        signal?.throwIfAborted();
        openChunk(value, stored, chunks, index, suite, nonce, dataKey, name);
      }
      return value;
    } finally {
      dataKey.fill(0);
    }
  }

  /** Checks the header, and what the stored size says. */
  async layout(stored: StoredValue): Promise<EncryptedLayout> {
    const { key: name } = stored;
    const front = await stored.bytes(0, headerSize);
    const isSealed = this.isSealed(front, name);
    const storedSize = stored.info.size ?? (await stored.bytes()).byteLength;
    if (!isSealed) return { size: storedSize };
    const header = copyBytes(front);
    const key = await this.keyOf(header, name);
    const dataKey = roomForDataKey();
    try {
      const { suite, chunks } = this.begin(header, storedSize, dataKey, key, name);
      if (chunks.size === 0) checkEmpty(await stored.bytes(), storedSize, suite, dataKey, name);
      return { size: chunks.size, blockSize: chunks.chunkSize, sealed: { header, chunks } };
    } finally {
      dataKey.fill(0);
    }
  }

  /** The chunks between two plain offsets, each once its tag was right. Where they reach the end, nothing may follow them. */
  async *range(layout: EncryptedLayout, stored: StoredValue, start: number, end: number): AsyncGenerator<Bytes, void, void> {
    const { key: name } = stored;
    if (layout.sealed === undefined) {
      if (!this.#isLegacyTime()) throw unreadable("not encrypted", name); // found out before, and remembered
      this.legacyReads++;
      for await (const chunk of stored.stream(start, end)) yield copyBytes(chunk);
      return;
    }
    const { header, chunks } = layout.sealed;
    const first = start / chunks.chunkSize;
    const reachesEnd = end >= chunks.size;
    const beyond = reachesEnd ? chunks.count : Math.ceil(end / chunks.chunkSize);
    const pieces = new Pieces(
      stored.stream(chunkAt(chunks, first), reachesEnd ? undefined : chunkAt(chunks, beyond)),
      chunks.chunkSize + tagSize + endSize + 1,
    );
    const take = (index: number): Promise<Uint8Array> => {
      const taken = pieces.take(sizeOfChunk(chunks, index) + tagSize + (index === chunks.count - 1 ? endSize + 1 : 0));
      taken.catch(() => {}); // reported when its turn comes
      return taken;
    };
    const [dataKey, nonce] = [roomForDataKey(), roomForNonce()];
    try {
      const key = await this.keyOf(header, name);
      const { suite } = this.begin(header, undefined, dataKey, key, name);
      let next = take(first);
      for (let index = first; index < beyond; index++) {
        const last = index === chunks.count - 1;
        const size = sizeOfChunk(chunks, index) + tagSize;
        const piece = await next;
        if (piece.byteLength !== (last ? size + endSize : size)) throw unreadable("cut off", name);
        if (last) checkEnd(piece, size, chunks, name);
        if (!turns.hasTime) await turns.next();
        litter(garbage * size);
        setNonce(nonce, index, last);
        const chunk = suite.openApart(last ? piece.subarray(0, size) : piece, nonce, dataKey);
        if (chunk === undefined) throw unreadable("chunk", name);
        if (index + 1 < beyond) next = take(index + 1); // is read while this one is in use above
        yield chunk;
      }
    } finally {
      dataKey.fill(0);
      await pieces.stop();
    }
  }

  /** Whether a value is encrypted; `false` where it may be from before this layer. */
  isSealed(front: Uint8Array, name: string): boolean {
    if (isOurs(front)) {
      if (front.byteLength < headerSize) throw unreadable("cut off", name);
      return true;
    }
    if (isCutInHeader(front)) throw unreadable("cut off", name);
    const found = headerOf(front);
    if (found?.layer === "encrypted") throw unreadable("version", name);
    if (this.#isLegacyTime()) return false;
    if (found !== undefined) throw missingLayer(found, { storage: "encrypted", key: name });
    throw unreadable("not encrypted", name);
  }

  /** The key that a header names. */
  keyOf(header: Uint8Array, name: string): RingKey | Promise<RingKey> {
    const key = this.#ring.find(header);
    if (key === undefined) throw unreadable("unknown key", name);
    return key;
  }

  /** Takes the data key out of a header; then it is known that all of it is meant. */
  begin(
    header: Uint8Array,
    storedSize: number | undefined,
    dataKey: Uint8Array,
    key: RingKey,
    name: string,
  ): { readonly suite: Suite; readonly chunks: Chunks } {
    const wrong = this.#wrapping.unwrap(header, dataKey, key, name);
    if (wrong !== undefined) throw unreadable(wrong, name);
    const suite = suiteByNumber(suiteOf(header));
    const chunkBits = chunkBitsOf(header);
    if (suite === undefined || (chunkBits !== 16 && chunkBits !== 20)) throw unreadable("suite", name);
    const chunks = storedSize === undefined ? nothing : storedChunks(storedSize, chunkBits);
    if (chunks === undefined) throw unreadable("cut off", name);
    return { suite, chunks };
  }
}

const nothing: Chunks = { size: 0, chunkSize: 0, count: 0 };

function checkEnd(bytes: Uint8Array, at: number, { size }: Chunks, name: string): void {
  if (!isEnd(bytes, at, size)) throw unreadable("cut off", name);
}

/** Of an empty value no range is ever asked for, and it must not be what is left of another. */
function checkEmpty(stored: Uint8Array, storedSize: number, suite: Suite, dataKey: Uint8Array, name: string): void {
  if (stored.byteLength !== storedSize) throw unreadable("cut off", name);
  checkEnd(stored, storedSize - endSize, emptyValue, name);
  openChunk(new Uint8Array(0), stored, emptyValue, 0, suite, roomForNonce(), dataKey, name);
}

const emptyValue: Chunks = chunksOf(0, 16);

function openChunk(
  value: Uint8Array,
  stored: Uint8Array,
  chunks: Chunks,
  index: number,
  suite: Suite,
  nonce: Uint8Array,
  dataKey: Uint8Array,
  name: string,
): void {
  const at = chunkAt(chunks, index);
  const size = sizeOfChunk(chunks, index);
  const start = index * chunks.chunkSize;
  setNonce(nonce, index, index === chunks.count - 1);
  const sealed = stored.subarray(at, at + size + tagSize);
  if (!suite.open(chunks.count === 1 ? value : value.subarray(start, start + size), sealed, nonce, dataKey))
    throw unreadable("chunk", name);
}
