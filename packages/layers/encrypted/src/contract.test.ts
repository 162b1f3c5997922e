import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stack } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { describeLayer, describeStorage } from "@stowage/testing/contract";
import type { EncryptedOptions, SuiteName } from "./index.ts";
import { encrypted } from "./index.ts";

const secret = new Uint8Array(32).fill(7);
const keys: EncryptedOptions["keys"] = [{ id: "2026-11", secret }];

describeLayer("encrypted", {
  create: (inner, { clock }) => encrypted({ keys, clock })(inner),
  documented: { values: true, calls: ["read"] }, // a part of the value is another part of what is stored, or several
});

for (const suite of ["xchacha20-poly1305", "aes-256-gcm"] satisfies SuiteName[]) {
  describeStorage(`encrypted with ${suite} and a key that has to be fetched`, {
    create: ({ clock }) => stack(memoryStorage({ clock }), encrypted({ keys: [{ id: "kms", secret: async () => secret }], suite, clock })),
  });
}

describeStorage("encrypted on a folder, which streams natively", {
  async create({ clock }) {
    const directory = await mkdtemp(join(tmpdir(), "stowage-encrypted-"));
    const open = () => stack(fileStorage({ directory, clock, layout: "encoded", durability: "process" }), encrypted({ keys, clock }));
    return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
  },
});
