import type { Bytes, ByteStorage, Storage } from "@stowage/core";
import { headerOf, MappedStorage, missingLayer, StorageError } from "@stowage/core";

/** A codec that is broken in one way, and the promise that must catch it. */
export interface BrokenCodec {
  readonly does: string;
  readonly caughtBy: string;
  readonly create: () => (inner: ByteStorage) => Storage<unknown>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** JSON, as small as it can be while it keeps every promise. */
export class PlainJson extends MappedStorage<unknown> {
  readonly name: string = "plain";

  protected override encode(value: unknown, key: string): Bytes {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined)
      throw new StorageError("invalid-value", "JSON cannot hold this value.", { storage: this.name, key, operation: "put" });
    return encoder.encode(text);
  }

  protected override decode(bytes: Bytes, key: string): unknown {
    const header = headerOf(bytes);
    if (header !== undefined) throw missingLayer(header, { storage: this.name, key });
    try {
      return JSON.parse(decoder.decode(bytes)) as unknown;
    } catch (cause) {
      throw new StorageError("corrupt", "What is stored is not JSON.", { storage: this.name, key, operation: "get", cause });
    }
  }
}

class RoundsNumbers extends PlainJson {
  protected override encode(value: unknown, key: string): Bytes {
    const rounded: unknown = JSON.parse(JSON.stringify(value), (_, part: unknown) =>
      typeof part === "number" ? Math.round(part / 10) * 10 : part,
    );
    return super.encode(rounded, key);
  }
}

class TakesDamageForMissing extends PlainJson {
  protected override decode(bytes: Bytes, key: string): unknown {
    try {
      return super.decode(bytes, key);
    } catch {
      return undefined;
    }
  }
}

class GivesDamageBack extends PlainJson {
  protected override decode(bytes: Bytes, key: string): unknown {
    try {
      return super.decode(bytes, key);
    } catch {
      return new TextDecoder().decode(bytes);
    }
  }
}

class LeavesForeignErrors extends PlainJson {
  protected override decode(bytes: Bytes): unknown {
    return JSON.parse(decoder.decode(bytes)) as unknown;
  }
}

class KnowsNoHeaders extends PlainJson {
  protected override decode(bytes: Bytes, key: string): unknown {
    if (headerOf(bytes) !== undefined) throw new StorageError("corrupt", "What is stored is not JSON.", { storage: this.name, key });
    return super.decode(bytes, key);
  }
}

class TakesUndefinedForNull extends PlainJson {
  protected override encode(value: unknown, key: string): Bytes {
    return super.encode(value ?? null, key);
  }
}

class RemembersWhatItMade extends PlainJson {
  readonly #made = new Map<string, unknown>();

  protected override decode(bytes: Bytes, key: string): unknown {
    const text = new TextDecoder().decode(bytes);
    const made = this.#made.get(text) ?? super.decode(bytes, key);
    this.#made.set(text, made);
    return made;
  }
}

function codec(does: string, caughtBy: string, Broken: typeof PlainJson): BrokenCodec {
  return { does, caughtBy, create: () => (inner) => new Broken(inner) };
}

export const brokenCodecs: readonly BrokenCodec[] = [
  codec("rounds numbers", "any value comes back", RoundsNumbers),
  codec("takes damage for a missing entry", "bytes that nothing encodes to are corrupt", TakesDamageForMissing),
  codec("gives damage back as text", "bytes that nothing encodes to are corrupt", GivesDamageBack),
  codec("lets foreign errors through", "any bytes are corrupt, or a value", LeavesForeignErrors),
  codec("does not know the headers of layers", "a value that another layer wrote names the layer that is missing", KnowsNoHeaders),
  codec("takes undefined for null", "undefined and what has no encoded form is refused", TakesUndefinedForNull),
  codec("gives the same object twice", "a value that was got can be changed without harm", RemembersWhatItMade),
];
