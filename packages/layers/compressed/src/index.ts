export type { BrotliWasm } from "./brotli-wasm-codec.ts";
export type { CodecName } from "./codec.ts";
export * from "./compressed.ts";
