import { mkdtempSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressed, CompressedStorage } from "@stowage/compressed";
import type { AnyStorage, ByteLayer, ByteStorage, Clock } from "@stowage/core";
import { stack } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import type { CreateContext, DocumentedChanges } from "@stowage/testing/contract";
import { describeLayer, describeStorage } from "@stowage/testing/contract";
import type { EncryptedOptions } from "./index.ts";
import { encrypted, EncryptedStorage } from "./index.ts";
import { secretOf } from "./testing/set-up.ts";

const keys: EncryptedOptions["keys"] = [{ id: "2026-11", secret: secretOf(7) }];
const documented: DocumentedChanges = { values: true, calls: ["read"] }; // a part of the value is another part of what is stored, or several

describeLayer("encrypted", { create: (inner, { clock }) => encrypted({ keys, clock })(inner), documented });

describeStorage("encrypted with aes-256-gcm and a key that has to be fetched", {
  create: ({ clock }) =>
    stack(memoryStorage({ clock }), encrypted({ keys: [{ id: "kms", secret: async () => secretOf(7) }], suite: "aes-256-gcm", clock })),
});

onFolder("compressed and encrypted on a folder", compressedAndEncrypted);

/** The whole contract on more stacks, and on a dozen weakened folders, takes a minute. */
if (process.env["STOWAGE_EFFORT"] === "full") {
  onFolder("encrypted on a folder, which streams natively", (clock) => [encrypted({ keys, clock })]);

  onFolder("compressed in an envelope, encrypted on a folder", (clock) => [
    encrypted({ keys, clock }),
    envelope({ clock }),
    compressed({ clock }),
  ]);

  const directories = new WeakMap<AnyStorage, string>();
  const directoryBelow = (storage: AnyStorage): string => directories.get(storage) ?? directoryBelow(storage.inner[0]!);
  const folder = (directory: string, { clock }: CreateContext): ByteStorage => {
    const storage = fileStorage({ directory, clock, layout: "encoded", durability: "process" });
    directories.set(storage, directory);
    return storage;
  };
  /** Another storage of the same kind over the same folder. */
  const again = (storage: AnyStorage, context: CreateContext): ByteStorage => {
    const directory = directories.get(storage);
    if (directory !== undefined) return folder(directory, context);
    const below = again(storage.inner[0]!, context);
    if (storage instanceof EncryptedStorage) return encrypted({ keys, clock: context.clock })(below);
    return storage instanceof CompressedStorage ? compressed({ clock: context.clock, minSize: 1, minSaving: 0 })(below) : below;
  };
  describeLayer("compressed and encrypted on a folder, as a layer", {
    inner: (context) => folder(mkdtempSync(join(tmpdir(), "stowage-encrypted-")), context),
    create(inner, context) {
      const storage = compressedAndEncrypted(context.clock).reduce((below, layer) => layer(below), inner);
      const directory = directoryBelow(storage);
      return { storage, reopen: () => again(storage, context), cleanup: () => rm(directory, { recursive: true, force: true }) };
    },
    documented,
  });
}

function compressedAndEncrypted(clock: Clock): readonly ByteLayer[] {
  return [encrypted({ keys, clock }), compressed({ clock, minSize: 1, minSaving: 0 })];
}

function onFolder(name: string, layers: (clock: Clock) => readonly ByteLayer[]): void {
  describeStorage(name, {
    async create({ clock }) {
      const directory = await mkdtemp(join(tmpdir(), "stowage-encrypted-"));
      const open = (): ByteStorage =>
        layers(clock).reduce((below, layer) => layer(below), fileStorage({ directory, clock, layout: "encoded", durability: "process" }));
      return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
    },
  });
}
