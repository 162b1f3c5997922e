import { copyBytes } from "@stowage/core";
import type { Bytes } from "@stowage/core";
import type * as zlib from "node:zlib";
import type { Codec, CodecName } from "./codec.ts";

export type Zlib = typeof zlib;

/** `node:zlib`, without an import that a browser would stumble over. */
export function findZlib(): Zlib | undefined {
  const { process } = globalThis as { process?: Partial<NodeJS.Process> };
  return process?.getBuiltinModule?.("node:zlib");
}

/** A codec of `node:zlib`. */
export function zlibCodec(name: CodecName, zlib: Zlib): Codec {
  const { compressSync, compress, decompressSync, decompress, compressOptions } = parts[name](zlib);
  return {
    name,
    compress: (value, level) => compressSync(value, compressOptions(value.byteLength, level)),
    decompress: (stored, length) => exactly(stored, length, decompressSync(stored, decompressOptions(length)) as unknown as WithEngine),
    pool: {
      compress: (value, level) => answer<Buffer>((done) => compress(value, compressOptions(value.byteLength, level), done)),
      decompress: async (stored, length) => {
        const result = await answer<Buffer>((done) => decompress(stored, decompressOptions(length), done));
        return exactly(stored, length, result as unknown as WithEngine);
      },
    },
  };
}

type Done = (error: Error | null, result: Buffer) => void;

interface ZlibOptions {
  readonly chunkSize: number;
  readonly maxOutputLength?: number;
  readonly info?: boolean;
  readonly level?: number;
  readonly params?: Record<number, number>;
  readonly pledgedSrcSize?: number;
}

/** The functions of one codec, which all have the same shape. */
interface Parts {
  readonly compressSync: (value: Uint8Array, options: ZlibOptions) => Buffer;
  readonly compress: (value: Uint8Array, options: ZlibOptions, done: Done) => void;
  readonly decompressSync: (stored: Uint8Array, options: ZlibOptions) => Buffer;
  readonly decompress: (stored: Uint8Array, options: ZlibOptions, done: Done) => void;
  readonly compressOptions: (size: number, level: number) => ZlibOptions;
}

const parts: Readonly<Record<CodecName, (zlib: Zlib) => Parts>> = {
  zstd: (zlib) => ({
    compressSync: zlib.zstdCompressSync,
    compress: zlib.zstdCompress,
    decompressSync: zlib.zstdDecompressSync,
    decompress: zlib.zstdDecompress,
    compressOptions: (size, level) => ({
      chunkSize: roomFor(size),
      pledgedSrcSize: size,
      params: { [zlib.constants.ZSTD_c_compressionLevel]: level, [zlib.constants.ZSTD_c_checksumFlag]: 1 },
    }),
  }),
  gzip: (zlib) => ({
    compressSync: zlib.gzipSync,
    compress: zlib.gzip,
    decompressSync: zlib.gunzipSync,
    decompress: zlib.gunzip,
    compressOptions: (size, level) => ({ chunkSize: roomFor(size), level }),
  }),
  brotli: (zlib) => ({
    compressSync: zlib.brotliCompressSync,
    compress: zlib.brotliCompress,
    decompressSync: zlib.brotliDecompressSync,
    decompress: zlib.brotliDecompress,
    compressOptions: (size, level) => ({
      chunkSize: roomFor(size),
      params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: size },
    }),
  }),
};

/** The least that zlib takes as the size of a step. */
const smallestStep = 64;

/** Room for the output in one step, even where nothing shrinks: each further step is a round trip. */
const roomFor = (size: number): number => size + (size >>> 7) + smallestStep;

/** Steps as large as the whole output, which ends where it should. */
function decompressOptions(length: number): ZlibOptions {
  return { chunkSize: Math.max(length, smallestStep), maxOutputLength: Math.max(length, 1), info: true };
}

/** What zlib answers with `info`: the output, and who made it. */
interface WithEngine {
  readonly buffer: Buffer<ArrayBuffer>;
  readonly engine: { readonly bytesWritten: number };
}

/** The output, where it is as long as it should be and all of the input went into it. */
function exactly(stored: Uint8Array, length: number, { buffer, engine }: WithEngine): Bytes {
  if (buffer.byteLength !== length) throw new Error(`The payload gives ${buffer.byteLength} bytes instead of ${length}.`);
  if (engine.bytesWritten !== stored.byteLength) throw new Error("There are bytes behind the end of the payload.");
  return buffer.byteLength === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : copyBytes(buffer);
}

function answer<T>(call: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error === null ? resolve(result) : reject(error)));
  });
}
