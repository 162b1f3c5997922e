import type { Bytes, ByteStorage, OperationName } from "../contract/contract.ts";
import { headerOf, missingLayer } from "../contract/format.ts";
import { StorageError } from "../contract/storage-error.ts";
import { checkOptions } from "../plugin/check-options.ts";
import type { Codec } from "../shapes/layer.ts";
import { checkHoldsBytes } from "../shapes/holds-bytes.ts";
import { MappedStorage } from "../shapes/mapped-storage.ts";
import type { CodecOptions } from "./json.ts";

/**
 * Keeps text as UTF-8, exactly: a byte order mark stays where it is. Text with lone surrogates, which UTF-8 cannot hold,
 * is `invalid-value`; bytes that are not UTF-8 are `corrupt`.
 */
export function text(options?: CodecOptions): Codec<string> {
  return (inner) => new TextStorage(inner, options);
}

/** What `text()` makes. */
export class TextStorage extends MappedStorage<string> {
  readonly name = "text";

  constructor(inner: ByteStorage, options: CodecOptions = {}) {
    checkOptions({}, options, "text");
    super(inner, options.clock);
    checkHoldsBytes(inner, "text stands on bytes: one codec is enough, above all layers of bytes.");
  }

  protected override encode(value: string, key: string, operation: OperationName): Bytes {
    if (typeof value !== "string") {
      throw new StorageError("invalid-value", `text keeps strings, got ${value === null ? "null" : typeof value}.`, {
        storage: this.name,
        key,
        operation,
      });
    }
    if (!value.isWellFormed()) {
      throw new StorageError("invalid-value", "The text has a lone surrogate, which UTF-8 cannot hold.", {
        storage: this.name,
        key,
        operation,
      });
    }
    return encoder.encode(value);
  }

  protected override decode(bytes: Bytes, key: string, operation: OperationName): string {
    try {
      return decoder.decode(bytes);
    } catch {
      const header = headerOf(bytes);
      if (header !== undefined) throw missingLayer(header, { storage: this.name, key, operation });
      throw new StorageError("corrupt", `The ${bytes.byteLength} bytes that are stored are not UTF-8.`, {
        storage: this.name,
        key,
        operation,
      });
    }
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
