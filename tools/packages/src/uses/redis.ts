import assert from "node:assert/strict";
import { StorageError } from "@stowage/core";
import { redisStorage } from "@stowage/redis";

// Nobody listens there: it loads, and says what is wrong.
const storage = redisStorage({ url: "redis://127.0.0.1:1", connectTimeout: 500 });
await assert.rejects(storage.get("a"), (error) => StorageError.is(error, "unavailable"));
await storage.close();
