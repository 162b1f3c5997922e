import assert from "node:assert/strict";
import { json, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";

const bytes = memoryStorage();
const users = stack(bytes, json<{ visits: number }>());
const { etag } = await users.put("ada", { visits: 1 }, { ifNoneMatch: "*" });
await users.put("ada", { visits: 2 }, { ifMatch: etag });
await assert.rejects(users.put("ada", { visits: 3 }, { ifMatch: etag }), (error) => StorageError.is(error, "precondition-failed"));
assert.deepEqual(await users.get("ada"), { visits: 2 });
assert.equal(new TextDecoder().decode(await bytes.get("ada")), '{"visits":2}');

const anything = memoryStorage<Date>({ values: "any" });
await anything.put("now", new Date(0));
assert.equal((await anything.get("now"))?.getTime(), 0);
