import { createHash, randomUUID } from "node:crypto";
import type { Clock, Condition } from "@stowage/core";
import { compareKeys } from "@stowage/core";
import { noSuchKey, preconditionFailed, Refusal } from "./refusal.ts";

/** An object as it is stored. */
export interface StoredObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly modifiedAt: number;
  /** Content headers and user metadata. */
  readonly headers: Readonly<Record<string, string>>;
}

interface StoredUpload {
  readonly key: string;
  readonly startedAt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, { readonly body: Buffer; readonly etag: string }>;
}

export interface BucketOptions {
  readonly clock: Clock;
  /** Those that are decided; others are passed over without a word. */
  readonly conditions: readonly Condition[];
  /** Whether only etags without quotes match, as with old Ceph. */
  readonly bareEtags: boolean;
}

/** The headers that decide whether a write is done. */
export interface ConditionHeaders {
  readonly "if-match"?: string | undefined;
  readonly "if-none-match"?: string | undefined;
}

/** Where a listing goes on. */
export interface Position {
  readonly name: string;
  /** It is what the page before ended with: a rolled-up prefix is not given again. */
  readonly isEnd: boolean;
}

export interface ListedPage {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  /** The last key or prefix, where there are more. */
  readonly last: string | undefined;
}

const minPartSize = 5 * 1024 * 1024;

/** One bucket: objects, and uploads that are not complete. */
export class Bucket {
  readonly objects: Map<string, StoredObject> = new Map();
  readonly uploads: Map<string, StoredUpload> = new Map();
  readonly #options: BucketOptions;

  constructor(options: BucketOptions) {
    this.#options = options;
  }

  get(key: string): StoredObject {
    const found = this.objects.get(key);
    if (found === undefined) throw noSuchKey();
    return found;
  }

  put(key: string, body: Buffer, headers: Readonly<Record<string, string>>, condition: ConditionHeaders): StoredObject {
    this.#check(key, condition, "replace", "create");
    const object = { body, etag: md5(body), modifiedAt: this.#options.clock.now(), headers };
    this.objects.set(key, object);
    return object;
  }

  delete(key: string, condition: ConditionHeaders): void {
    if (condition["if-match"] !== undefined && this.#options.conditions.includes("delete")) {
      if (!this.objects.has(key)) throw noSuchKey();
      this.#check(key, condition, "delete", "delete");
    }
    this.objects.delete(key);
  }

  /** Keys and rolled-up prefixes in the order of their UTF-8 bytes, after a position, at most so many. */
  list(prefix: string, delimiter: string | undefined, after: Position | undefined, limit: number): ListedPage {
    const keys: string[] = [];
    const prefixes: string[] = [];
    let last: string | undefined;
    for (const key of [...this.objects.keys()].filter((each) => each.startsWith(prefix)).sort(compareKeys)) {
      const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const group = end === -1 ? undefined : key.slice(0, end + delimiter!.length);
      const name = group ?? key;
      if (after !== undefined && (compareKeys(key, after.name) <= 0 || (after.isEnd && name === after.name))) continue;
      if (group !== undefined && group === prefixes.at(-1)) continue;
      if (keys.length + prefixes.length === limit) return { keys, prefixes, last };
      (group === undefined ? keys : prefixes).push(name);
      last = name;
    }
    return { keys, prefixes, last: undefined };
  }

  startUpload(key: string, headers: Readonly<Record<string, string>>, startedAt: number = this.#options.clock.now()): string {
    const id = randomUUID();
    this.uploads.set(id, { key, headers, startedAt, parts: new Map() });
    return id;
  }

  putPart(key: string, id: string, number: number, body: Buffer): string {
    if (!(Number.isInteger(number) && number >= 1 && number <= 10_000)) {
      throw new Refusal(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive.");
    }
    const etag = md5(body);
    this.#upload(key, id).parts.set(number, { body, etag });
    return etag;
  }

  completeUpload(
    key: string,
    id: string,
    listed: readonly { readonly number: number; readonly etag: string }[],
    condition: ConditionHeaders,
  ): StoredObject {
    const upload = this.#upload(key, id);
    if (listed.some(({ number }, index) => index > 0 && listed[index - 1]!.number >= number)) {
      throw new Refusal(400, "InvalidPartOrder", "The list of parts was not in ascending order.");
    }
    const parts = listed.map(({ number, etag }, index) => {
      const part = upload.parts.get(number);
      if (part?.etag !== etag) throw new Refusal(400, "InvalidPart", "One or more of the specified parts could not be found.");
      if (index < listed.length - 1 && part.body.length < minPartSize) {
        throw new Refusal(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size.");
      }
      return part;
    });
    if (parts.length === 0) throw new Refusal(400, "MalformedXML", "You must specify at least one part.");
    if (this.#options.conditions.includes("stream")) this.#check(key, condition, "stream", "stream");
    const digests = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, "hex")));
    const object = {
      body: Buffer.concat(parts.map(({ body }) => body)),
      etag: `${md5(digests)}-${parts.length}`,
      modifiedAt: this.#options.clock.now(),
      headers: upload.headers,
    };
    this.uploads.delete(id);
    this.objects.set(key, object);
    return object;
  }

  abortUpload(key: string, id: string): void {
    this.#upload(key, id);
    this.uploads.delete(id);
  }

  #upload(key: string, id: string): StoredUpload {
    const upload = this.uploads.get(id);
    if (upload?.key !== key) throw new Refusal(404, "NoSuchUpload", "The specified multipart upload does not exist.");
    return upload;
  }

  #check(key: string, condition: ConditionHeaders, match: Condition, noneMatch: Condition): void {
    const found = this.objects.get(key);
    const { "if-match": ifMatch, "if-none-match": ifNoneMatch } = condition;
    if (ifNoneMatch !== undefined && this.#options.conditions.includes(noneMatch)) {
      if (ifNoneMatch !== "*") throw new Refusal(501, "NotImplemented", "If-None-Match must be a star.");
      if (found !== undefined) throw preconditionFailed();
    }
    if (ifMatch !== undefined && this.#options.conditions.includes(match)) {
      if (found === undefined) throw noSuchKey();
      if (ifMatch !== (this.#options.bareEtags ? found.etag : `"${found.etag}"`)) throw preconditionFailed();
    }
  }
}

const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");
