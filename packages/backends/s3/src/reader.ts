import type { Bytes, CallOptions, Entry, EntryInfo, ListOptions, Page, ReadOptions } from "@stowage/core";
import { compareKeys, defaultListLimit, otherVersion, resolveRange, StorageError, streamOf } from "@stowage/core";
import { collect, streamDownload } from "./downloads.ts";
import { storageName } from "./errors.ts";
import { metadataOf } from "./metadata.ts";
import { absoluteRange, rangeOf } from "./ranges.ts";
import type { Settings } from "./settings.ts";
import type { Download, ListedObject, Listing, ObjectInfo } from "./transport.ts";
import { badAnswer, S3Failure } from "./transport.ts";

/** Keys that S3 gives in one answer at the most. */
const maxPage = 1000;
/** How often a part is asked for whose value changes all the time. */
const maxReads = 4;

/** All that reads. */
export class Reader {
  readonly #settings: Settings;
  /** Whether an answer has shown that the bucket is there. */
  #bucketIsThere = false;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async info(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    const object = await this.#object(key, options?.signal);
    return object === undefined ? undefined : infoOf(key, object);
  }

  async entry(key: string, operation: "get" | "getEntry" | "getEntries", options?: CallOptions): Promise<Entry<Bytes> | undefined> {
    const signal = options?.signal;
    const download = await this.#settings.transport.get(this.#inner(key), undefined, signal);
    this.#bucketIsThere = true;
    if (download === undefined) return undefined;
    const value = await collect(download, { operation, key, sha256: this.#sha256Of(download), signal });
    return { ...infoOf(key, download), value };
  }

  /** A part is asked for by a range. One that counts from the end needs the size first, and the same version for both. */
  async stream(key: string, options: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    for (let read = 0; read < maxReads; read++) {
      const found = await this.#read(key, options);
      if (found !== changed) return found;
    }
    throw new StorageError("conflict", `The value was another one during each of ${maxReads} tries to read a part of it.`, {
      operation: "read",
      storage: storageName,
      key,
    });
  }

  /** One page. Its cursor is the token of the service. */
  async page({ prefix = "", delimiter, startAfter, cursor, limit = defaultListLimit, info, signal }: ListOptions): Promise<Page> {
    const before = this.#settings.prefix;
    const listing = await this.#settings.transport.list(
      {
        prefix: `${before}${prefix}`,
        limit: Math.min(limit, maxPage),
        delimiter,
        startAfter: startAfter === undefined ? undefined : `${before}${startAfter}`,
        token: cursor,
      },
      signal,
    );
    checkListing(listing, `${before}${prefix}`, cursor);
    const outer = (key: string): string => key.slice(before.length);
    // An object that is called as the prefix, as consoles make it for a folder, is no entry.
    const objects = listing.objects.filter(({ key }) => key !== before);
    const entries = objects.map((object) => (info === true ? listedInfo(outer(object.key), object) : { key: outer(object.key) }));
    const prefixes = listing.prefixes.map(outer).filter((each) => each !== "");
    return listing.isTruncated ? { entries, prefixes, cursor: listing.token! } : { entries, prefixes };
  }

  /**
   * An answer to HEAD has no body, so it does not say whether the bucket is missing too. Unless it is known to be there,
   * a GET tells.
   */
  async #object(key: string, signal: AbortSignal | undefined): Promise<ObjectInfo | undefined> {
    const { transport } = this.#settings;
    const object = await transport.head(this.#inner(key), signal);
    if (object !== undefined || this.#bucketIsThere) return object;
    const download = await transport.get(this.#inner(key), undefined, signal);
    this.#bucketIsThere = true;
    download?.body.destroy();
    return download;
  }

  async #read(key: string, options: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined | typeof changed> {
    const range = rangeOf(options);
    switch (range.kind) {
      case "whole":
        return await this.#open(key, undefined, options, undefined);
      case "part":
        return await this.#open(key, range.header, options, undefined);
      case "nothing":
        return await this.#empty(key, options);
      case "sized": {
        const object = await this.#object(key, options.signal);
        const { start, end } = resolveRange(object?.size ?? 0, options.start, options.end);
        if (object === undefined || start === end) return await this.#empty(key, options);
        const part = absoluteRange(start, end);
        return await this.#open(key, part.kind === "part" ? part.header : undefined, options, object);
      }
    }
  }

  /** @param sized the version that the range was made for */
  async #open(
    key: string,
    range: string | undefined,
    { ifMatch, signal }: ReadOptions,
    sized: ObjectInfo | undefined,
  ): Promise<Entry<ReadableStream<Bytes>> | undefined | typeof changed> {
    let download: Download | undefined;
    try {
      download = await this.#settings.transport.get(this.#inner(key), range, signal);
    } catch (error) {
      if (!(error instanceof S3Failure) || error.status !== 416) throw error;
      return sized === undefined ? await this.#empty(key, { ifMatch, signal }) : changed;
    }
    if (download === undefined) return this.#missing(key, ifMatch);
    const isOther = ifMatch !== undefined && download.etag !== ifMatch;
    const isChanged = sized !== undefined && (download.etag !== sized.etag || download.size !== sized.size);
    if (isOther || isChanged) {
      download.body.destroy();
      if (isOther) throw otherVersion("read", storageName, key);
      return changed;
    }
    const wholeRange = download.length === download.size;
    if (range !== undefined && wholeRange && !coversWhole(range, download.size)) {
      download.body.destroy();
      throw badAnswer("The service does not know ranges: it gave the whole value for a part.");
    }
    const expected = { operation: "read", key, sha256: wholeRange ? this.#sha256Of(download) : undefined, signal } as const;
    return { ...infoOf(key, download), value: streamDownload(download, expected) };
  }

  async #empty(key: string, { ifMatch, signal }: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const info = await this.info(key, { signal });
    if (info === undefined) return this.#missing(key, ifMatch);
    if (ifMatch !== undefined && info.etag !== ifMatch) throw otherVersion("read", storageName, key);
    return { ...info, value: streamOf(new Uint8Array(0), signal) };
  }

  #missing(key: string, ifMatch: string | undefined): undefined {
    if (ifMatch !== undefined) throw otherVersion("read", storageName, key);
    return undefined;
  }

  #sha256Of(object: ObjectInfo): string | undefined {
    return this.#settings.checksum ? metadataOf(object.headers).sha256 : undefined;
  }

  #inner(key: string): string {
    return this.#settings.prefix + key;
  }
}

/** The value is another one than it was when its size was asked for. */
const changed = Symbol("changed");

function infoOf(key: string, object: ObjectInfo): EntryInfo {
  const { metadata } = metadataOf(object.headers);
  return {
    key,
    size: object.size,
    ...(object.etag !== undefined && { etag: object.etag }),
    ...(object.modifiedAt !== undefined && { modifiedAt: object.modifiedAt }),
    ...(metadata !== undefined && { metadata }),
  };
}

/** The time in whole seconds, as headers have it. */
function listedInfo(key: string, { size, etag, modifiedAt }: ListedObject): EntryInfo {
  return {
    key,
    size,
    ...(etag !== undefined && { etag }),
    ...(modifiedAt !== undefined && { modifiedAt: Math.floor(modifiedAt / 1000) * 1000 }),
  };
}

/** A listing that is cut short or out of order is an error, and not a short list. */
function checkListing({ objects, prefixes, isTruncated, token }: Listing, prefix: string, cursor: string | undefined): void {
  if (isTruncated && (token === undefined || token === "" || token === cursor)) {
    throw badAnswer("The service says that the list goes on, and not where.");
  }
  checkOrder(
    objects.map(({ key }) => key),
    prefix,
  );
  checkOrder(prefixes, prefix);
}

function checkOrder(keys: readonly string[], prefix: string): void {
  for (const [index, key] of keys.entries()) {
    if (!key.startsWith(prefix)) throw badAnswer("The list has a key that was not asked for.");
    if (index > 0 && compareKeys(keys[index - 1]!, key) >= 0) throw badAnswer("The list is not in the order of its keys.");
  }
}

/** Whether a range asks for all that there is. */
function coversWhole(range: string, size: number): boolean {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  return first === "" ? Number(last) >= size : first === "0" && (last === "" || Number(last) >= size - 1);
}
