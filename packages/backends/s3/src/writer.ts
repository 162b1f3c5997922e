import type { ByteSource, DeleteOptions, EntryInfo, PutOptions, WriteOptions } from "@stowage/core";
import { cancelSource } from "@stowage/core";
import { Conditions, newWriteId } from "./conditions.ts";
import { sha256 } from "./lean/sigv4.ts";
import { headersOf, withHidden } from "./metadata.ts";
import { limits } from "./part-sizes.ts";
import { partsOf } from "./parts.ts";
import type { Settings } from "./settings.ts";
import type { Headers } from "./transport.ts";
import { Uploads } from "./uploads.ts";

/** All that writes one key. */
export class Writer {
  readonly #settings: Settings;
  readonly #conditions: Conditions;
  readonly uploads: Uploads;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#conditions = new Conditions(settings);
    this.uploads = new Uploads(settings);
  }

  put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<EntryInfo> {
    return value.byteLength > limits.putSize ? this.write(key, slicesOf(value), options) : this.#put("put", key, value, options);
  }

  /** What fits into one part is put; the rest is uploaded in parts, of which a few are in memory. */
  async write(key: string, source: ByteSource, options: WriteOptions): Promise<EntryInfo> {
    await refusing(source, this.#conditions.refuseEarly(key, options));
    const stop = new AbortController();
    const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
    const parts = partsOf(source, { partSize: this.#settings.partSize, size: options.size, key, signal });
    try {
      const { value: first } = await parts.next();
      if (first === undefined || first.isLast) return await this.#put("write", key, first?.bytes ?? new Uint8Array(0), options);
      const writeId = newWriteId();
      const headers = withHidden(headersOf(options.metadata), { writeId });
      return await this.uploads.run(key, parts, first, headers, stop, signal, async (id, uploaded, size) => {
        const { transport, prefix } = this.#settings;
        const etag = await this.#conditions.write({
          operation: "write",
          key,
          condition: options,
          writeId,
          signal: options.signal,
          repeatable: false,
          send: (condition) => transport.completeUpload(prefix + key, id, uploaded, condition, options.signal),
        });
        return infoOf(key, size, etag ?? (await this.#etagOf(key, options)), options);
      });
    } finally {
      stop.abort();
      parts.return().catch(() => {});
    }
  }

  async delete(key: string, { ifMatch, signal }: DeleteOptions = {}): Promise<void> {
    const { transport, prefix } = this.#settings;
    if (ifMatch === undefined) return await transport.delete(prefix + key, undefined, signal);
    return await this.#conditions.delete(key, ifMatch, signal);
  }

  async #put(operation: "put" | "write", key: string, value: Uint8Array, options: PutOptions): Promise<EntryInfo> {
    const { transport, prefix, checksum } = this.#settings;
    const { metadata, ifMatch, ifNoneMatch, signal } = options;
    let headers: Headers = headersOf(metadata);
    if (checksum) headers = withHidden(headers, { sha256: sha256(value) });
    if (ifMatch === undefined && ifNoneMatch === undefined) {
      return infoOf(key, value.byteLength, await transport.put(prefix + key, value, headers, signal), options);
    }
    const writeId = newWriteId();
    const hidden = withHidden(headers, { writeId });
    const etag = await this.#conditions.write({
      operation,
      key,
      condition: options,
      writeId,
      signal,
      repeatable: true,
      send: (condition) => transport.put(prefix + key, value, { ...hidden, ...condition }, signal),
    });
    return infoOf(key, value.byteLength, etag, options);
  }

  /** Ceph before version 17 tells no etag where an upload ends. */
  async #etagOf(key: string, { signal }: WriteOptions): Promise<string | undefined> {
    const { transport, prefix } = this.#settings;
    return (await transport.head(prefix + key, signal).catch(() => undefined))?.etag;
  }
}

function infoOf(key: string, size: number, etag: string | undefined, { metadata }: PutOptions): EntryInfo {
  return { key, size, ...(etag !== undefined && { etag }), ...(metadata !== undefined && { metadata: { ...metadata } }) };
}

/** A value that is too large for one request, in pieces. */
async function* slicesOf(value: Uint8Array): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const length = 2 ** 20;
  for (let at = 0; at < value.byteLength; at += length) yield value.subarray(at, at + length) as Uint8Array<ArrayBuffer>;
}

/** Cancels a source that is not read because something before failed. */
async function refusing(source: ByteSource, before: Promise<void>): Promise<void> {
  try {
    await before;
  } catch (error) {
    cancelSource(source, error);
    throw error;
  }
}
