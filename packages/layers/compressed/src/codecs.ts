import { Damage, StorageError } from "@stowage/core";
import type { Bytes } from "@stowage/core";
import { brotliWasmCodec, loadBrotliWasm } from "./brotli-wasm-codec.ts";
import type { BrotliWasm } from "./brotli-wasm-codec.ts";
import { syncLimits } from "./codec.ts";
import type { Codec, CodecName } from "./codec.ts";
import { inTurn } from "./turn.ts";
import { findZlib, zlibCodec } from "./zlib-codecs.ts";

/** Who does the work for brotli. */
export type Engine = "auto" | "zlib" | "brotli-wasm" | BrotliWasm;

/** The codecs of this runtime: each loaded once, small work done at once, large work on other threads where there are any. */
export class Codecs {
  readonly #engine: Engine;
  readonly #zlib = findZlib();
  readonly #loaded = new Map<CodecName, Codec>();
  #loading: Promise<Codec> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Whether the runtime, with the packages it may load, has this codec. */
  has(name: CodecName): boolean {
    if (name === "brotli") return this.#engine !== "zlib" || this.#zlib !== undefined;
    return this.#zlib !== undefined && (name !== "zstd" || "zstdCompress" in this.#zlib);
  }

  compress(name: CodecName, value: Uint8Array, level: number): Bytes | Promise<Bytes> {
    const codec = this.#get(name);
    if (codec instanceof Promise) return codec.then(() => this.compress(name, value, level));
    if (codec.pool !== undefined && value.byteLength > syncLimits[name].compress(level)) return codec.pool.compress(value, level);
    return inTurn(() => codec.compress(value, level));
  }

  /** The `length` plain bytes; rejects or throws `Damage` where the payload gives anything else. */
  decompress(name: CodecName, payload: Uint8Array, length: number): Bytes | Promise<Bytes> {
    const codec = this.#get(name);
    if (codec instanceof Promise) return codec.then(() => this.decompress(name, payload, length));
    if (codec.pool !== undefined && length > syncLimits[name].decompress) return codec.pool.decompress(payload, length).catch(damaged);
    return inTurn(() => {
      try {
        return codec.decompress(payload, length);
      } catch (cause) {
        return damaged(cause);
      }
    });
  }

  #get(name: CodecName): Codec | Promise<Codec> {
    const loaded = this.#loaded.get(name);
    if (loaded !== undefined) return loaded;
    if (!this.has(name)) throw missingCodec(name);
    const engine = this.#engine;
    if (this.#zlib !== undefined && (name !== "brotli" || engine === "auto" || engine === "zlib")) {
      return this.#keep(zlibCodec(name, this.#zlib));
    }
    if (typeof engine === "object") return this.#keep(brotliWasmCodec(engine));
    return (this.#loading ??= loadBrotliWasm().then(
      (brotli) => this.#keep(brotliWasmCodec(brotli)),
      (error: unknown) => {
        this.#loading = undefined;
        throw error;
      },
    ));
  }

  #keep(codec: Codec): Codec {
    this.#loaded.set(codec.name, codec);
    return codec;
  }
}

/** The error of a codec that this runtime does not have. */
export function missingCodec(name: string): StorageError {
  return new StorageError(
    "unsupported",
    `The codec "${name}" needs node:zlib, which this runtime does not have; "brotli" works everywhere.`,
  );
}

function damaged(cause: unknown): never {
  throw new Damage("its payload cannot be decompressed", cause);
}
