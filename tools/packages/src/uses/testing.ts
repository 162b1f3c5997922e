import assert from "node:assert/strict";
import { json, stack, StorageError } from "@stowage/core";
import { mockStorage } from "@stowage/testing";

const mock = mockStorage();
const users = stack(mock, json<{ name: string }>());
mock.on("put", "ada").fails("unavailable", { times: 1 });
await assert.rejects(users.put("ada", { name: "Ada" }), (error) => StorageError.is(error, "unavailable"));
await users.put("ada", { name: "Ada" });
mock.expectPut("ada");
assert.deepEqual(await users.get("ada"), { name: "Ada" });
