import { mkdtempSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AnyStorage, ByteStorage } from "@stowage/core";
import { stack } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeLayer, describeLinearizable, describeModel, describeStorage } from "@stowage/testing/contract";
import type { CreateContext, CreatedStorage, DocumentedChanges } from "@stowage/testing/contract";
import { envelope, EnvelopeStorage } from "./envelope.ts";

const documented: DocumentedChanges = {
  values: true,
  adds: ["ttl", "metadata"],
  // what an entry has beside its value is read at the front of it, also before a stream creates; a part is another part below
  calls: ["head", "has", "list", "read", "write"],
};

describeLayer("envelope", { create: (inner, { clock }) => envelope({ clock })(inner), documented });

describeStorage("envelope on a folder", { create: onFolder });

/** The whole contract on a dozen weakened folders takes a minute. */
if (process.env["STOWAGE_EFFORT"] === "full") {
  const directories = new WeakMap<AnyStorage, string>();
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
    return storage instanceof EnvelopeStorage ? envelope({ clock: context.clock })(below) : below;
  };
  describeLayer("envelope on a folder, as a layer", {
    inner: (context) => folder(mkdtempSync(join(tmpdir(), "stowage-envelope-")), context),
    create: (inner, context) => {
      const storage = envelope({ clock: context.clock })(inner);
      const cleanup = (): Promise<void> => rm(directoryBelow(storage), { recursive: true, force: true });
      return { storage, reopen: () => again(storage, context), cleanup };
    },
    documented,
  });
  const directoryBelow = (storage: AnyStorage): string => directories.get(storage) ?? directoryBelow(storage.inner[0]!);
}

describeLinearizable("envelope", { create: ({ clock }) => stack(memoryStorage({ clock }), envelope({ clock })) });

describeModel("envelope", { create: ({ clock }) => stack(memoryStorage({ clock }), envelope({ clock })), runs: 100 });

describeModel("envelope on a folder", { create: onFolder, runs: 20 });

describeModel("envelope over a storage that fails", {
  create: ({ clock, seed }) => stack(memoryStorage({ clock }), faulty({ seed, clock, rate: 0.2 }), envelope({ clock })),
  runs: 100,
});

async function onFolder({ clock }: CreateContext): Promise<CreatedStorage> {
  const directory = await mkdtemp(join(tmpdir(), "stowage-envelope-"));
  const make = () => stack(fileStorage({ directory, clock, layout: "encoded", durability: "process" }), envelope({ clock }));
  return { storage: make(), reopen: make, cleanup: () => rm(directory, { recursive: true }) };
}
