import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressed } from "@stowage/compressed";
import { stack } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { fileStorage } from "@stowage/file";
import type { ByteLayer, ByteStorage, Clock } from "@stowage/core";
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

const folderStack = (name: string, layers: (clock: Clock) => readonly ByteLayer[]): void => {
  describeStorage(name, {
    async create({ clock }) {
      const directory = await mkdtemp(join(tmpdir(), "stowage-encrypted-"));
      const open = (): ByteStorage =>
        layers(clock).reduce((below, layer) => layer(below), fileStorage({ directory, clock, layout: "encoded", durability: "process" }));
      return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
    },
  });
};

folderStack("encrypted on a folder, which streams natively", (clock) => [encrypted({ keys, clock })]);

folderStack("compressed and encrypted on a folder", (clock) => [
  encrypted({ keys, clock }),
  compressed({ clock, minSize: 1, minSaving: 0 }),
]);

folderStack("compressed in an envelope, encrypted on a folder", (clock) => [
  encrypted({ keys, clock }),
  envelope({ clock }),
  compressed({ clock }),
]);

describeLayer("compressed and encrypted", {
  create: (inner, { clock }) => compressed({ clock, minSize: 1, minSaving: 0 })(encrypted({ keys, clock })(inner)),
  documented: { values: true, calls: ["read"] },
});
