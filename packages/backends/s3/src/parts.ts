import { cancelSource, readSource, wrongSize } from "@stowage/core";
import type { ByteSource } from "@stowage/core";
import { storageName } from "./errors.ts";
import { partSizeOf } from "./part-sizes.ts";

/** A piece of a source, in memory that is used again. */
export interface Part {
  readonly number: number;
  readonly bytes: Uint8Array;
  /** The source has no more. */
  readonly isLast: boolean;
  /** Gives the memory back. The bytes are gone then. */
  release(): void;
}

export interface PartsOptions {
  readonly partSize: number;
  /** Bytes that the source was said to give. */
  readonly size: number | undefined;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

/** Bytes of memory to begin with: most values are small. */
const smallest = 64 * 1024;

/**
 * Cuts a source into parts, the last of which says so. Each is in memory of its own until it is released, so as many are in memory as
 * are not released yet, and one more.
 */
export async function* partsOf(source: ByteSource, { partSize, size, key, signal }: PartsOptions): AsyncGenerator<Part, void, void> {
  const free: Uint8Array[] = [];
  let number = 1;
  let limit: number;
  try {
    limit = partSizeOf(number, partSize, size);
  } catch (error) {
    cancelSource(source, error);
    throw error;
  }
  let buffer = new Uint8Array(Math.min(smallest, limit));
  let filled = 0;
  let received = 0;
  const cut = (isLast: boolean): Part => {
    const whole = buffer;
    const part = {
      number,
      bytes: whole.subarray(0, filled),
      isLast,
      release: () => void (whole.byteLength === limit && free.push(whole)),
    };
    filled = 0;
    return part;
  };
  for await (const chunk of readSource(source, signal)) {
    received += chunk.byteLength;
    if (size !== undefined && received > size) throw wrongSize(size, "more", storageName, key);
    for (let at = 0; at < chunk.byteLength;) {
      if (filled === limit) {
        yield cut(false);
        limit = partSizeOf(++number, partSize, size);
        buffer = takeOf(free, limit);
      }
      const length = Math.min(chunk.byteLength - at, limit - filled);
      if (filled + length > buffer.byteLength)
        buffer = grown(buffer, filled, Math.min(Math.max(filled + length, 2 * buffer.byteLength), limit));
      buffer.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
    }
  }
  if (size !== undefined && received < size) throw wrongSize(size, String(received), storageName, key);
  yield cut(true);
}

function takeOf(free: Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const buffer = free.pop();
  if (buffer?.byteLength === size) return buffer as Uint8Array<ArrayBuffer>;
  free.length = 0;
  return new Uint8Array(size);
}

function grown(buffer: Uint8Array, filled: number, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(size);
  larger.set(buffer.subarray(0, filled));
  return larger;
}
