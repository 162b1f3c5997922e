import type { Bytes } from "@stowage/core";

/** The codecs to choose from. */
export type CodecName = "zstd" | "gzip" | "brotli";

/** One codec, as one implementation does it. Everything but lengths and checksums is its own business. */
export interface Codec {
  readonly name: CodecName;
  /** In memory of its own. */
  compress(value: Uint8Array, level: number): Bytes;
  /** The `length` bytes that were compressed, in memory of their own. Throws where the bytes give anything else; never makes more than `length + 1`. */
  decompress(stored: Uint8Array, length: number): Bytes;
  /** The same on other threads; absent where there are none. */
  readonly pool?: {
    compress(value: Uint8Array, level: number): Promise<Bytes>;
    decompress(stored: Uint8Array, length: number): Promise<Bytes>;
  };
}

/** Levels that a codec takes, and the one it is used at unless said otherwise. */
export const levels: Readonly<Record<CodecName, { readonly lowest: number; readonly highest: number; readonly usual: number }>> = {
  zstd: { lowest: 1, highest: 22, usual: 3 },
  gzip: { lowest: 1, highest: 9, usual: 6 },
  brotli: { lowest: 0, highest: 11, usual: 4 },
};

interface SyncLimits {
  compress(level: number): number;
  readonly decompress: number;
}

const kib = 1024;

/**
 * Plain bytes up to which a call is made at once instead of on another thread, where the detour costs more than the work:
 * about half a millisecond at the most, measured for text.
 */
export const syncLimits: Readonly<Record<CodecName, SyncLimits>> = {
  zstd: { compress: (level) => (level <= 4 ? 128 : level <= 9 ? 32 : 4) * kib, decompress: 256 * kib },
  gzip: { compress: (level) => (level <= 3 ? 32 : 16) * kib, decompress: 128 * kib },
  brotli: { compress: (level) => (level <= 4 ? 32 : level <= 7 ? 8 : 0) * kib, decompress: 128 * kib },
};
