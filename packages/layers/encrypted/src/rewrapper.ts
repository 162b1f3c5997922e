import type { Bytes, ByteStorage, CallOptions, Entry, EntryInfo, PutOptions } from "@stowage/core";
import { cancelSource, concatBytes, copyBytes, isLostRace, refuseAbility, StorageError, untilAborted } from "@stowage/core";
import { chunkBitsOf, headerSize, largestInSmallChunks } from "./format.ts";
import type { ChunkBits } from "./format.ts";
import type { KeyRing } from "./key-ring.ts";
import type { Opener } from "./opener.ts";
import type { Sealer } from "./sealer.ts";
import { roomForDataKey } from "./wrapping.ts";
import type { Wrapping } from "./wrapping.ts";

export interface RewrapOptions extends CallOptions {
  /** Nobody else writes meanwhile, so that it goes without the condition "replace". @default false */
  readonly offline?: boolean | undefined;
}

/** What was done with an entry: `current` had the key already, `rewrapped` got it, `encrypted` was plaintext, `gone` was deleted meanwhile. */
export type Rewrapped = "current" | "rewrapped" | "encrypted" | "gone";

interface Parts {
  readonly below: ByteStorage;
  readonly ring: KeyRing;
  readonly wrapping: Wrapping;
  readonly sealer: Sealer;
  readonly opener: Opener;
}

/** Times that an entry is looked at while others change it. */
const attempts = 20;

/** Gives stored values the key that writes now, one at a time. */
export class Rewrapper {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async rewrap(key: string, { offline = false, signal }: RewrapOptions): Promise<Rewrapped> {
    const { below } = this.#parts;
    if (!offline && !below.capabilities.conditions.includes("replace")) {
      refuseAbility('rewriting without the condition "replace", unless offline is set, which says that nobody else writes', below, "put");
    }
    let lost: unknown;
    for (let attempt = 0; attempt < attempts; attempt++) {
      try {
        return await untilAborted(this.#once(key, offline, signal), signal);
      } catch (error) {
        if (!isLostRace(error)) throw error;
        lost = error;
      }
    }
    const message = `Others changed the entry during each of ${attempts} tries to rewrite it.`;
    throw new StorageError("conflict", message, { storage: "encrypted", operation: "put", key, cause: lost });
  }

  async #once(key: string, offline: boolean, signal: AbortSignal | undefined): Promise<Rewrapped> {
    const { ring, wrapping, sealer, opener } = this.#parts;
    const found = await this.#look(key, signal);
    if (found === undefined) return "gone";
    const { front, info } = found;
    if (!opener.isSealed(front, key)) {
      const storeWhole = (plain: Bytes) => sealer.whole(plain, key, signal);
      const done = await this.#replace(info, offline, signal, storeWhole, (plain) => sealer.stream(plain, key));
      return done ? "encrypted" : "gone";
    }

    const oldKey = await opener.keyOf(front, key);
    const dataKey = roomForDataKey();
    const header = new Uint8Array(headerSize);
    try {
      const { suite } = opener.begin(front, info.size, dataKey, oldKey, key);
      if (ring.isCurrent(front)) return "current";
      wrapping.wrap(header, dataKey, await ring.current(), suite.number, chunkBitsOf(front) as ChunkBits, key);
    } finally {
      dataKey.fill(0);
    }
    const storeWhole = (stored: Bytes): Bytes => concatBytes([header, stored.subarray(headerSize)]);
    const done = await this.#replace(info, offline, signal, storeWhole, (stored) => withHeader(header, stored));
    return done ? "rewrapped" : "gone";
  }

  /** The first bytes of what is stored, and what is known of it. */
  async #look(key: string, signal: AbortSignal | undefined): Promise<{ readonly front: Bytes; readonly info: EntryInfo } | undefined> {
    const { below } = this.#parts;
    if (below.capabilities.streams !== "native") {
      const entry = await below.getEntry(key, { signal });
      return entry && { front: entry.value.subarray(0, headerSize), info: { ...entry, size: entry.value.byteLength } };
    }
    const entry = await below.read(key, { start: 0, end: headerSize, signal });
    if (entry === undefined) return undefined;
    const chunks: Bytes[] = [];
    for await (const chunk of entry.value) chunks.push(chunk);
    return { front: concatBytes(chunks), info: entry };
  }

  /** Stores something else in place of the version that was looked at. Answers whether it is still there. */
  async #replace(
    info: EntryInfo,
    offline: boolean,
    signal: AbortSignal | undefined,
    whole: (stored: Bytes) => Bytes | Promise<Bytes>,
    stream: (stored: AsyncIterable<Bytes>) => AsyncIterable<Bytes>,
  ): Promise<boolean> {
    const { below } = this.#parts;
    const { key, etag } = info;
    const { conditions, streams } = below.capabilities;
    const ifMatch = conditions.includes("replace") ? etag : undefined;
    if (ifMatch === undefined && !offline) refuseAbility("rewriting an entry without an etag, unless offline is set", below, "put");
    const streamed = streams === "native" && (ifMatch === undefined || conditions.includes("stream"));
    if (streamed && (info.size ?? Number.POSITIVE_INFINITY) > largestInSmallChunks) {
      const entry = await below.read(key, { ifMatch: etag, signal });
      if (entry === undefined) return false;
      try {
        await below.write(key, stream(entry.value), { ...this.#kept(entry), ifMatch, signal });
      } catch (error) {
        cancelSource(entry.value, error); // which a generator that was never started does not do
        throw error;
      }
      return true;
    }
    const entry = await below.getEntry(key, { signal });
    if (entry === undefined) return false;
    if (entry.etag !== etag) throw changed(key);
    await below.put(key, await whole(entry.value), { ...this.#kept(entry), ifMatch, signal });
    return true;
  }

  /** What stays as it is: expiry, and metadata from before this layer. */
  #kept({ expiresAt, metadata }: Entry<unknown>): PutOptions {
    const { capabilities } = this.#parts.below;
    return {
      expiresAt: capabilities.ttl === false ? undefined : expiresAt,
      metadata: capabilities.metadata && metadata !== undefined && Object.keys(metadata).length > 0 ? metadata : undefined,
    };
  }
}

/** A stored value with another header. */
async function* withHeader(header: Bytes, stored: AsyncIterable<Bytes>): AsyncGenerator<Bytes, void, void> {
  yield header;
  let passed = 0;
  for await (const chunk of stored) {
    const rest = chunk.subarray(Math.max(headerSize - passed, 0));
    passed += chunk.byteLength;
    if (rest.byteLength > 0) yield rest.byteLength === chunk.byteLength ? chunk : copyBytes(rest);
  }
}

function changed(key: string): StorageError {
  return new StorageError("conflict", "The entry changed while it was rewritten.", { storage: "encrypted", operation: "put", key });
}
