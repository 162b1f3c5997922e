import assert from "node:assert/strict";
import { keyvStorage, toKeyv } from "@stowage/keyv";

const map = new Map<string, string>();
const storage = keyvStorage({ store: map, namespace: "users" });
await storage.put("ada", new Uint8Array([1, 2, 3]), { ttl: 60_000 });
assert.deepEqual(await storage.get("ada"), new Uint8Array([1, 2, 3]));
assert.deepEqual([...map.keys()], ["5:users:ada"]);
const store = toKeyv(storage);
await store.set("bob", "text");
assert.equal(await store.get("bob"), "text");
