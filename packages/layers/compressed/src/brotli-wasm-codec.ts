import { ownedBytes, StorageError } from "@stowage/core";
import type { Codec } from "./codec.ts";

/** What is used of the package `brotli-wasm`. */
export interface BrotliWasm {
  compress(value: Uint8Array, options: { quality?: number }): Uint8Array;
  readonly DecompressStream: new () => {
    decompress(stored: Uint8Array, room: number): { readonly buf: Uint8Array; readonly code: number; readonly input_offset: number };
    free(): void;
  };
}

/** What `decompress` of the package answers at the end of the data. */
const success = 1;

/** Brotli without `node:zlib`: the same data, slower, and not on other threads. */
export function brotliWasmCodec(brotli: BrotliWasm): Codec {
  return {
    name: "brotli",
    compress: (value, level) => ownedBytes(brotli.compress(value, { quality: level })),
    decompress: (stored, length) => {
      const stream = new brotli.DecompressStream();
      try {
        const { buf, code, input_offset: consumed } = stream.decompress(stored, length + 1);
        if (code !== success || buf.byteLength !== length) throw new Error(`The payload does not give ${length} bytes.`);
        if (consumed !== stored.byteLength) throw new Error("There are bytes behind the end of the payload.");
        return ownedBytes(buf);
      } finally {
        stream.free();
      }
    },
  };
}

/** Loads the package. Its entry for ES modules needs `fetch` of a file, which Node refuses, so Node gets the other one. */
export async function loadBrotliWasm(): Promise<BrotliWasm> {
  try {
    const { process } = globalThis as { process?: Partial<NodeJS.Process> };
    const nodeModule = process?.getBuiltinModule?.("node:module");
    if (nodeModule !== undefined) return nodeModule.createRequire(import.meta.url)("brotli-wasm") as BrotliWasm;
    const loaded = (await import("brotli-wasm")) as unknown as { readonly default: Promise<BrotliWasm> };
    return await loaded.default;
  } catch (cause) {
    throw new StorageError("unsupported", "Brotli needs node:zlib or the package brotli-wasm here: npm install brotli-wasm.", { cause });
  }
}
