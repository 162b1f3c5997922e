import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stack } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { memoryStorage } from "@stowage/memory";
import { describeLayer, describeStorage } from "@stowage/testing/contract";
import type { BrotliWasm, CompressedOptions } from "./index.ts";
import { compressed } from "./index.ts";

const brotliWasm = createRequire(import.meta.url)("brotli-wasm") as BrotliWasm;

/** Compresses whatever is put, so that small samples go the same way as large ones. */
const always: CompressedOptions = { minSize: 1, minSaving: 0 };

describeLayer("compressed", {
  create: (inner, { clock }) => compressed({ clock, ...always })(inner),
  documented: { values: true, calls: ["read"] }, // a part of the value is another part of what is stored, or several
});

describeStorage("compressed by brotli-wasm on memory", {
  create: ({ clock }) => stack(memoryStorage({ clock }), compressed({ clock, codec: "brotli", engine: brotliWasm, ...always })),
});

describeStorage("compressed on a folder, which streams natively", {
  async create({ clock }) {
    const directory = await mkdtemp(join(tmpdir(), "stowage-compressed-"));
    const open = () => stack(fileStorage({ directory, clock, layout: "encoded", durability: "process" }), compressed({ clock, ...always }));
    return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
  },
});
