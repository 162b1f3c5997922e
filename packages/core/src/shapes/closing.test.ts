import { expect, test } from "vitest";
import { MapByteStorage } from "../../test/map-storage.ts";
import type { Bytes, Storage } from "../contract/contract.ts";
import { MappedStorage } from "./mapped-storage.ts";
import type { StoredLayout } from "./transformed-reads.ts";
import { TransformedStorage } from "./transformed-storage.ts";

/** Encodes when it is let go. */
class SlowCodec extends MappedStorage<Bytes> {
  readonly name = "slow-codec";
  letGo = (): void => {};

  protected override encode(value: Bytes): Promise<Bytes> {
    return new Promise((resolve) => (this.letGo = () => resolve(value)));
  }

  protected override decode(value: Bytes): Bytes {
    return value;
  }
}

class SlowLayer extends TransformedStorage {
  readonly name = "slow-layer";
  letGo = (): void => {};

  protected override encode(value: Uint8Array): Promise<Bytes> {
    return new Promise((resolve) => (this.letGo = () => resolve(value as Bytes)));
  }

  protected override decode(stored: Bytes): Bytes {
    return stored;
  }

  protected override encodeStream(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Bytes> {
    return chunks as AsyncIterable<Bytes>;
  }

  protected override layout(): StoredLayout {
    return {};
  }

  protected override async *decodeRange(): AsyncGenerator<Bytes, void, void> {}
}

test.each([
  ["a codec", (below: MapByteStorage) => new SlowCodec(below)],
  ["a layer over bytes", (below: MapByteStorage) => new SlowLayer(below)],
])("close of %s waits for a value that is still being encoded, and refuses new calls meanwhile", async (_name, make) => {
  const below = new MapByteStorage();
  const layer = make(below);
  const storage = layer as Storage<Bytes>;
  const put = storage.put("key", Uint8Array.of(1));
  const order: string[] = [];
  const closing = storage.close().then(() => order.push("closed"));
  await expect(storage.put("other", Uint8Array.of(2))).rejects.toMatchObject({ code: "closed" });
  await expect(storage.delete("key")).rejects.toMatchObject({ code: "closed" });
  layer.letGo();
  await put.then(() => order.push("stored"));
  await closing;
  expect(order).toEqual(["stored", "closed"]);
});
