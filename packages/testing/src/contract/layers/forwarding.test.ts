import type { ByteStorage, Bytes, EntryInfo, PutOptions } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import { expect, test } from "vitest";
import { brokenLayerPromises } from "./layer-promises.ts";

/** Keeps the metadata of what is put to itself. */
class Keeping extends ForwardingStorage<Bytes> {
  readonly name = "keeping";

  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, options && { ...options, metadata: undefined });
  }
}

class Passing extends ForwardingStorage<Bytes> {
  readonly name = "passing";
}

const only = (name: string): boolean => name === "put goes down once, with metadata";
const keeping = (inner: ByteStorage): ByteStorage => new Keeping(inner);
const passing = (inner: ByteStorage): ByteStorage => new Passing(inner);

test("a layer that adds an ability keeps its option, and any other passes it on", async () => {
  const adds = ["metadata"] as const;
  expect([...(await brokenLayerPromises({ create: keeping, documented: { adds } }, { only })).keys()]).toEqual([]);
  expect([...(await brokenLayerPromises({ create: passing, documented: { adds } }, { only })).keys()]).toHaveLength(1);
  expect([...(await brokenLayerPromises({ create: keeping }, { only })).keys()]).toHaveLength(1);
  expect([...(await brokenLayerPromises({ create: passing }, { only })).keys()]).toEqual([]);
});
