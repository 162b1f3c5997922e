import type { StandardSchema } from "@stowage/core";
import { describeStorage } from "@stowage/testing/contract";
import { parseStorages } from "./index.ts";

const anything: StandardSchema = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };

describeStorage("a stack of bytes from a file", {
  create: async ({ clock }) => {
    const text = "storages: { files: { backend: memory, layers: [retry, compressed, prefixed: { prefix: a/ }] } }";
    const storages = await parseStorages(text, { clock });
    return { storage: storages.bytes("files"), cleanup: () => storages.close() };
  },
});

describeStorage("a stack of values from a file, checked by a schema", {
  create: async ({ clock }) => {
    const storages = await parseStorages("storages: { users: { backend: memory, layers: [retry, json, cached] } }", { clock });
    return { storage: storages.get("users", anything), cleanup: () => storages.close() };
  },
  values: [{ name: "Ada", tags: ["countess"] }, ["a", "list", null], "text"],
});
