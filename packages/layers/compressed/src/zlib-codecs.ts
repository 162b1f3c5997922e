import { copyBytes } from "@stowage/core";
import type { Bytes } from "@stowage/core";
import type { Transform } from "node:stream";
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
  const { compressSync, decompressSync, compressor, decompressor, forLevel, finish, promisedLength } = parts[name](zlib);
  const compressOptions = (size: number, level: number): ZlibOptions => ({
    chunkSize: roomFor(size),
    flush: finish,
    ...forLevel(size, level),
  });
  const decompressOptions = (length: number, free = 1): ZlibOptions => ({
    chunkSize: Math.max(length + free, smallestStep), // a byte stays free: a full step would be followed by an empty one
    maxOutputLength: Math.max(length, 1),
    info: true,
    flush: finish,
  });
  return {
    name,
    compress(value, level) {
      const options = compressOptions(value.byteLength, level);
      return taken(compressSync(value, options), options);
    },
    decompress(stored, length) {
      const options = decompressOptions(length);
      const { buffer, engine } = decompressSync(stored, options) as unknown as WithEngine;
      return exactly(stored, length, buffer, engine, options);
    },
    pool: {
      async compress(value, level) {
        const options = compressOptions(value.byteLength, level);
        return taken(await inOneStep(compressor(options), value, Number.POSITIVE_INFINITY), options);
      },
      async decompress(stored, length) {
        const promised = promisedLength?.(stored) === length; // then the output fills the step, and is not copied out of it
        const options = decompressOptions(length, promised ? 0 : 1);
        const engine = decompressor(options);
        return exactly(stored, length, await inOneStep(engine, stored, length, promised), engine, options);
      },
    },
  };
}

interface ZlibOptions {
  readonly chunkSize: number;
  readonly flush: number;
  readonly maxOutputLength?: number;
  readonly info?: boolean;
  readonly level?: number;
  readonly params?: Record<number, number>;
  readonly pledgedSrcSize?: number;
}

/** A stream of zlib. */
interface Engine extends Transform {
  /** Bytes of the input that were used. */
  readonly bytesWritten: number;
  close(): void;
}

/** What zlib answers with `info`. */
interface WithEngine {
  readonly buffer: Buffer;
  readonly engine: Pick<Engine, "bytesWritten">;
}

/** The functions of one codec, which all have the same shape. */
interface Parts {
  readonly compressSync: (value: Uint8Array, options: ZlibOptions) => Buffer;
  readonly decompressSync: (stored: Uint8Array, options: ZlibOptions) => Buffer;
  readonly compressor: (options: ZlibOptions) => Engine;
  readonly decompressor: (options: ZlibOptions) => Engine;
  readonly forLevel: (size: number, level: number) => Pick<ZlibOptions, "level" | "params" | "pledgedSrcSize">;
  /** The flag that ends the data with the first write. */
  readonly finish: number;
  /** The length that the compressed form itself says, where the codec gives just that or fails. */
  readonly promisedLength?: (stored: Uint8Array) => number | undefined;
}

const parts: Readonly<Record<CodecName, (zlib: Zlib) => Parts>> = {
  zstd: ({ constants, zstdCompressSync, zstdDecompressSync, createZstdCompress, createZstdDecompress }) => ({
    compressSync: zstdCompressSync,
    decompressSync: zstdDecompressSync,
    compressor: createZstdCompress,
    decompressor: createZstdDecompress,
    forLevel: (size, level) => ({
      pledgedSrcSize: size,
      params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
    }),
    finish: constants.ZSTD_e_end,
    promisedLength: zstdLength,
  }),
  gzip: ({ constants, gzipSync, gunzipSync, createGzip, createGunzip }) => ({
    compressSync: gzipSync,
    decompressSync: gunzipSync,
    compressor: createGzip,
    decompressor: createGunzip,
    forLevel: (_size, level) => ({ level }),
    finish: constants.Z_FINISH,
  }),
  brotli: ({ constants, brotliCompressSync, brotliDecompressSync, createBrotliCompress, createBrotliDecompress }) => ({
    compressSync: brotliCompressSync,
    decompressSync: brotliDecompressSync,
    compressor: createBrotliCompress,
    decompressor: createBrotliDecompress,
    forLevel: (size, level) => ({ params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_SIZE_HINT]: size } }),
    finish: constants.BROTLI_OPERATION_FINISH,
  }),
};

/** The least that zlib takes as the size of a step. */
const smallestStep = 64;

/** Room for the output in one step, even where nothing shrinks: each further step is a round trip. */
const roomFor = (size: number): number => size + (size >>> 7) + 256;

/**
 * The length that a frame of zstd says, where the bytes are one whole frame as it is written here: of one segment, without a
 * dictionary, with a checksum (RFC 8878, 3.1.1). Then zstd gives so many bytes with that checksum, or fails.
 */
function zstdLength(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.byteLength < 16 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const descriptor = view.getUint8(4);
  const width = descriptor >>> 6;
  if ((descriptor & 0b11_1111) !== 0b10_0100 || width === 3) return undefined;
  let at = [6, 7, 9][width]!;
  for (let last = false; !last;) {
    if (at + 3 > frame.byteLength) return undefined;
    const block = view.getUint16(at, true) + view.getUint8(at + 2) * 2 ** 16;
    last = (block & 1) === 1;
    at += 3 + ((block & 0b110) === 0b010 ? 1 : block >>> 3); // a repeated byte is there once
  }
  if (at + 4 !== frame.byteLength) return undefined;
  return width === 0 ? view.getUint8(5) : width === 1 ? view.getUint16(5, true) + 256 : view.getUint32(5, true);
}

/**
 * Sends one value through an engine in one round trip to the thread pool; the calls of zlib for whole values take two or
 * three. Stops where more than `limit` bytes come out; where no more can come, already when they are there.
 */
function inOneStep(engine: Engine, input: Uint8Array, limit: number, noMore = false): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const output: Buffer[] = [];
    let size = 0;
    engine.on("error", reject);
    engine.on("data", (chunk: Buffer) => {
      output.push(chunk);
      size += chunk.byteLength;
      if (size > limit) engine.destroy(new Error(`The payload gives more than ${limit} bytes.`));
      else if (noMore && size === limit) engine.close();
    });
    engine.write(input, (error) => {
      if (error) return;
      engine.close();
      resolve(output.length === 1 ? output[0]! : Buffer.concat(output));
    });
  });
}

/** The output, where it is as long as it should be and all of the input went into it. */
function exactly(stored: Uint8Array, length: number, output: Buffer, engine: Pick<Engine, "bytesWritten">, options: ZlibOptions): Bytes {
  if (output.byteLength !== length) throw new Error(`The payload gives ${output.byteLength} bytes instead of ${length}.`);
  if (engine.bytesWritten !== stored.byteLength) throw new Error("There are bytes behind the end of the payload.");
  return taken(output, options);
}

/**
 * The output in memory of its own size. Where zlib made memory for this output alone, that is freed at once: left to the
 * garbage collector, it would pile up under a stream.
 */
function taken(output: Buffer, { chunkSize }: ZlibOptions): Bytes {
  const { buffer, byteOffset, byteLength } = output;
  const alone = byteOffset === 0 && buffer.byteLength === chunkSize && buffer instanceof ArrayBuffer;
  return alone ? new Uint8Array(buffer.transfer(byteLength)) : copyBytes(output);
}
