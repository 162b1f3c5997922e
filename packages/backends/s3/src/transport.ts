import type { Readable } from "node:stream";

/** What S3 says of an object. */
export interface ObjectInfo {
  /** Bytes of the whole object, also where a part of it was asked for. */
  readonly size: number;
  /** Without its quotes; absent where the service told none. */
  readonly etag: string | undefined;
  readonly modifiedAt: number | undefined;
  /** Content headers and `x-amz-meta-` headers as they are stored: names in lower case and values in turns. */
  readonly headers: readonly string[];
}

/** An object whose bytes are on their way. */
export interface Download extends ObjectInfo {
  /** Position of the first byte of `body` in the object. */
  readonly start: number;
  /** Bytes that `body` will give. */
  readonly length: number;
  /** Must be read to its end or destroyed. */
  readonly body: Readable;
}

/** Headers of a request, with names in lower case. */
export type Headers = Readonly<Record<string, string>>;

export interface ListQuery {
  readonly prefix: string;
  readonly limit: number;
  readonly delimiter: string | undefined;
  readonly startAfter: string | undefined;
  readonly token: string | undefined;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string | undefined;
  readonly modifiedAt: number | undefined;
}

export interface Listing {
  readonly objects: readonly ListedObject[];
  readonly prefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly token: string | undefined;
}

/** One key of a bulk delete that the service did not delete. */
export interface DeleteFailure {
  readonly key: string;
  readonly failure: S3Failure;
}

/** A multipart upload that was begun and neither completed nor aborted. */
export interface Upload {
  readonly key: string;
  readonly id: string;
  readonly startedAt: number;
}

export interface UploadPage {
  readonly uploads: readonly Upload[];
  /** Where the next page begins; absent on the last one. */
  readonly next: { readonly key: string; readonly id: string } | undefined;
}

export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
}

/**
 * The requests that a storage sends, whoever sends them. Keys are those of the bucket. What is not there is `undefined`;
 * every other failure rejects with an `S3Failure`, or with the reason of the signal as it is.
 */
export interface Transport {
  /** What must be done before the first request, if there is anything. */
  readonly open?: (() => Promise<void>) | undefined;
  head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined>;
  /** @param range the value of a `Range` header */
  get(key: string, range: string | undefined, signal?: AbortSignal): Promise<Download | undefined>;
  /** Gives the etag. */
  put(key: string, body: Uint8Array, headers: Headers, signal?: AbortSignal): Promise<string | undefined>;
  /** @param ifMatch the value of an `If-Match` header */
  delete(key: string, ifMatch: string | undefined, signal?: AbortSignal): Promise<void>;
  /** At most 1,000 keys. */
  deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<readonly DeleteFailure[]>;
  list(query: ListQuery, signal?: AbortSignal): Promise<Listing>;
  startUpload(key: string, headers: Headers, signal?: AbortSignal): Promise<string>;
  uploadPart(key: string, id: string, number: number, body: Uint8Array, headers: Headers, signal?: AbortSignal): Promise<UploadedPart>;
  /** Gives the etag, which some services leave empty. */
  completeUpload(
    key: string,
    id: string,
    parts: readonly UploadedPart[],
    headers: Headers,
    signal?: AbortSignal,
  ): Promise<string | undefined>;
  abortUpload(key: string, id: string, signal?: AbortSignal): Promise<void>;
  uploads(prefix: string, after: UploadPage["next"], signal?: AbortSignal): Promise<UploadPage>;
  /** An address that may be used by whoever has it, for so many seconds. */
  presign(method: "GET" | "PUT" | "HEAD" | "DELETE", key: string, seconds: number): Promise<string>;
  close(): void;
}

export interface S3FailureOptions {
  /** Status of the answer; 0 where there was none. */
  readonly status: number;
  /** The service's word for it, or ours where no answer came: `NetworkError`, `Timeout`, `BadAnswer`, `NotSent`. */
  readonly code: string;
  /** Whether the service may have done what it was asked for. */
  readonly isUnknown: boolean;
  readonly retryAfter?: number | undefined;
  /** The region that the service named. */
  readonly region?: string | undefined;
  /** The time of the service, in milliseconds since the epoch. */
  readonly serverTime?: number | undefined;
  readonly cause?: unknown;
}

/** A request that failed, before it is known what call it was part of. */
export class S3Failure extends Error {
  override readonly name = "S3Failure";
  readonly status: number;
  readonly code: string;
  readonly isUnknown: boolean;
  readonly retryAfter: number | undefined;
  readonly region: string | undefined;
  readonly serverTime: number | undefined;

  constructor(message: string, { status, code, isUnknown, retryAfter, region, serverTime, cause }: S3FailureOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = code;
    this.isUnknown = isUnknown;
    this.retryAfter = retryAfter;
    this.region = region;
    this.serverTime = serverTime;
  }
}

/** The failure of an answer with this status, whoever read it. */
export function answeredWith(
  status: number,
  code: string,
  message: string,
  more: {
    readonly retryAfter?: string | undefined;
    readonly region?: string | undefined;
    readonly date?: string | undefined;
    readonly cause?: unknown;
  },
): S3Failure {
  return new S3Failure(message, {
    status,
    code,
    // The service looked at what it refused; what broke on its side, or on the way, may have been done.
    isUnknown: status >= 500 && status !== 501 && status !== 503,
    retryAfter: retryAfterOf(more.retryAfter),
    region: more.region,
    serverTime: more.date === undefined ? undefined : timeOf(more.date),
    cause: more.cause,
  });
}

/** Milliseconds since the epoch of a date in a header or an answer. */
export function timeOf(date: string): number | undefined {
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}

/** An etag without its quotes; nothing where there is none. */
export function bareEtag(etag: string | undefined): string | undefined {
  if (etag === undefined) return undefined;
  const bare = etag.length > 1 && etag.startsWith('"') && etag.endsWith('"') ? etag.slice(1, -1) : etag;
  return bare === "" ? undefined : bare;
}

/** The first byte and the length of a part, and the size of the whole, from `Content-Range: bytes 0-9/100`. */
export function parseContentRange(
  header: string | undefined,
  length: number,
): { readonly start: number; readonly length: number; readonly size: number } {
  if (header === undefined) return { start: 0, length, size: length };
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header) ?? [];
  const [start, end, whole] = [Number(first), Number(last) + 1, Number(size)];
  if (end - start === length && end <= whole) return { start, length, size: whole };
  throw badAnswer("The range of the answer is not that of its body.");
}

/** An answer that is not what S3 answers. */
export function badAnswer(message: string, cause?: unknown): S3Failure {
  return new S3Failure(message, { status: 200, code: "BadAnswer", isUnknown: true, cause });
}

/** `Retry-After` in seconds or as a date, in milliseconds from now. */
function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000;
  const time = timeOf(header);
  return time === undefined ? undefined : Math.max(time - Date.now(), 0);
}
