import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stack } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { faulty } from "@stowage/testing";
import { describeLayer, describeLinearizable, describeModel, describeStorage } from "@stowage/testing/contract";
import type { CreateContext, CreatedStorage } from "@stowage/testing/contract";
import { envelope } from "./envelope.ts";

describeLayer("envelope", {
  create: (inner, { clock }) => envelope({ clock })(inner),
  documented: {
    values: true,
    adds: ["ttl", "metadata"],
    // what an entry has beside its value is read at the front of it, also before a stream creates; a part is another part below
    calls: ["head", "has", "list", "read", "write"],
  },
});

describeStorage("envelope on a folder", { create: onFolder });

describeModel("envelope", { create: ({ clock }) => stack(memoryStorage({ clock }), envelope({ clock })), runs: 100 });

describeLinearizable("envelope", { create: ({ clock }) => stack(memoryStorage({ clock }), envelope({ clock })) });

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
