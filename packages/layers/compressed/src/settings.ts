import { checkOptions, legacyUntil, StorageError } from "@stowage/core";
import { levels } from "./codec.ts";
import type { CodecName } from "./codec.ts";
import { Codecs, missingCodec } from "./codecs.ts";
import type { CompressedOptions } from "./compressed.ts";

/** The options with defaults, checked. */
export interface Settings {
  readonly codec: CodecName;
  readonly level: number;
  readonly minSize: number;
  readonly minSaving: number;
  readonly maxSize: number;
  /** The same for streams, which have a limit only where one was given. */
  readonly maxStreamSize: number;
  /** Values without a header are given before this moment. */
  readonly legacyUntil: number;
  readonly codecs: Codecs;
}

/** What was done, in numbers. */
export interface Stats {
  encodedValues: number;
  decodedValues: number;
  encodedBlocks: number;
  decodedBlocks: number;
  /** Values and blocks that were stored as they are. */
  storedPlain: number;
  plainBytes: number;
  storedBytes: number;
  legacyReads: number;
}

const mebibyte = 1024 * 1024;

export function settle(options: CompressedOptions): Settings {
  checkOptions({}, options, "compressed", ["codec", "level", "minSize", "minSaving", "maxSize", "legacy", "engine"]);
  const { engine = "auto", minSize = 128, minSaving = 0.05, maxSize = 256 * mebibyte, legacy } = options;
  if (typeof engine !== "object" && !["auto", "zlib", "brotli-wasm"].includes(engine)) {
    refuse('engine must be "auto", "zlib", "brotli-wasm" or the loaded package brotli-wasm');
  }
  const codecs = new Codecs(engine);
  const codec = options.codec ?? (codecs.has("zstd") ? "zstd" : "brotli");
  if (!Object.hasOwn(levels, codec)) refuse('codec must be "zstd", "gzip" or "brotli"');
  const { lowest, highest, usual } = levels[codec];
  const { level = usual } = options;
  if (!Number.isInteger(level) || level < lowest || level > highest) {
    refuse(`the level of ${codec} must be a whole number from ${lowest} to ${highest}`);
  }
  if (!Number.isInteger(minSize) || minSize < 0) refuse("minSize must be a whole number of bytes");
  if (!(minSaving >= 0 && minSaving < 1)) refuse("minSaving must be a share from 0 up to 1, such as 0.05");
  if (!Number.isSafeInteger(maxSize) || maxSize < 1) refuse("maxSize must be a whole number of bytes");
  if (!codecs.has(codec)) throw missingCodec(codec);
  const maxStreamSize = options.maxSize ?? Number.POSITIVE_INFINITY;
  return { codec, level, minSize, minSaving, maxSize, maxStreamSize, legacyUntil: legacyUntil(legacy, "compressed"), codecs };
}

function refuse(what: string): never {
  throw new StorageError("invalid-option", `In the options of compressed, ${what}.`, { storage: "compressed" });
}
