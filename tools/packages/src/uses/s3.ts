import assert from "node:assert/strict";
import { StorageError } from "@stowage/core";
import { s3Storage } from "@stowage/s3";

// Nobody listens there: it loads, and says what is wrong.
const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
const storage = s3Storage({ bucket: "data", endpoint: "http://127.0.0.1:1", credentials });
await assert.rejects(storage.get("a"), (error) => StorageError.is(error, "unavailable"));
await storage.close();
