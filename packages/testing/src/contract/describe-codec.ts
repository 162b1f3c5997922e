import type { ByteStorage, Storage } from "@stowage/core";
import type * as fc from "fast-check";
import { describe, test } from "vitest";
import { codecPromises } from "./codecs/codec-promises.ts";

/** What proves a codec: how to put it on bytes, and what values there are. */
export interface CodecSubject<V> {
  /** Makes the codec. */
  readonly create: () => (inner: ByteStorage) => Storage<V>;
  /** Any value that it takes. */
  readonly arbitrary: fc.Arbitrary<V>;
  /** Bytes that nothing encodes to. @default 0xff 0xfe 0xfd */
  readonly corrupt?: readonly Uint8Array[] | undefined;
  /** What it does not take as a value, besides `undefined`. @default nothing */
  readonly refused?: readonly unknown[] | undefined;
  /** Whether two values are the same. @default as node:assert compares deeply and strictly */
  readonly same?: ((one: V, other: V) => boolean) | undefined;
}

/**
 * Registers with Vitest what a codec promises: any value comes back, bytes that are no value are `corrupt` and never
 * become data, and a value that another layer wrote names the layer that is missing. `describeLayer` proves the rest.
 *
 * ```ts
 * describeCodec("json", { create: () => json(), arbitrary: fc.jsonValue() });
 * ```
 */
export function describeCodec<V>(name: string, subject: CodecSubject<V>): void {
  describe(name, () => {
    for (const promise of codecPromises(subject)) test(promise.name, () => promise.run());
  });
}
