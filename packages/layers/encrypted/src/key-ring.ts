import type { Bytes } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { commitmentOf, hasKeyId, keyIdField, makePrefix } from "./format.ts";
import type { ChunkBits, SuiteNumber } from "./format.ts";
import type { KeySource } from "./key-sources.ts";

/** A key that is there, with what is derived from it. */
export class RingKey {
  readonly id: string;
  readonly commitment: Bytes;
  readonly #secret: Bytes;
  #closed = false;
  readonly #field: Bytes;
  readonly #prefixes = new Map<number, Bytes>();

  constructor(id: string, field: Bytes, secret: Bytes) {
    this.id = id;
    this.#field = field;
    this.#secret = secret;
    this.commitment = commitmentOf(secret);
  }

  /** To be used at once: whoever waited meanwhile asks again, and is refused after `close`, when it is all zeros. */
  get secret(): Bytes {
    if (this.#closed) throw closed();
    return this.#secret;
  }

  close(): void {
    this.#closed = true;
    this.#secret.fill(0);
  }

  /** How headers begin under this key. */
  prefix(suite: SuiteNumber, chunkBits: ChunkBits): Bytes {
    const kind = suite * 256 + chunkBits;
    let prefix = this.#prefixes.get(kind);
    if (prefix === undefined) this.#prefixes.set(kind, (prefix = makePrefix(suite, chunkBits, this.#field, this.commitment)));
    return prefix;
  }
}

/** A key of the ring, which may not have been asked for yet. */
interface Slot {
  readonly id: string;
  readonly field: Bytes;
  readonly source: KeySource;
  key: RingKey | undefined;
  pending: Promise<RingKey> | undefined;
}

/** The keys of one storage by their ids. One writes; all read. Keys that are not at hand are got when they are first needed. */
export class KeyRing {
  readonly #slots: readonly Slot[];
  readonly #current: Slot;
  #closed = false;

  /** @param sources keys by id; bytes belong to the ring from now on */
  constructor(sources: ReadonlyMap<string, KeySource>, current: string) {
    this.#slots = [...sources].map(([id, source]) => {
      const field = keyIdField(id);
      return { id, field, source, key: source instanceof Uint8Array ? new RingKey(id, field, source) : undefined, pending: undefined };
    });
    this.#current = this.#slots.find(({ id }) => id === current) as Slot;
  }

  get ids(): readonly string[] {
    return this.#slots.map(({ id }) => id);
  }

  /** The key that writes. */
  current(): RingKey | Promise<RingKey> {
    return this.#current.key ?? this.#get(this.#current);
  }

  /** Whether a header names the key that writes. */
  isCurrent(header: Uint8Array): boolean {
    return hasKeyId(header, this.#current.field);
  }

  /** The key that a header names; `undefined` where it is not in the ring. */
  find(header: Uint8Array): RingKey | Promise<RingKey> | undefined {
    for (const slot of this.#slots) if (hasKeyId(header, slot.field)) return slot.key ?? this.#get(slot);
    return undefined;
  }

  /** Overwrites all keys. Whoever asks for one afterwards, or still holds one, is refused. */
  close(): void {
    this.#closed = true;
    for (const slot of this.#slots) {
      slot.key?.close();
      slot.key = undefined;
    }
  }

  /** Many who need a key at once ask for it once. A failure is not kept: the next call asks again. */
  #get(slot: Slot): Promise<RingKey> {
    if (this.#closed || typeof slot.source !== "function") return Promise.reject(closed());
    slot.pending ??= slot
      .source()
      .then((secret) => {
        if (this.#closed) {
          secret.fill(0);
          throw closed();
        }
        return (slot.key = new RingKey(slot.id, slot.field, secret));
      })
      .finally(() => {
        slot.pending = undefined;
      });
    return slot.pending;
  }
}

const closed = (): StorageError => new StorageError("closed", "The storage is closed, and its keys are gone.", { storage: "encrypted" });
