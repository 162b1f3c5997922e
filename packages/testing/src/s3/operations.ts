import type { Bucket, ListedPage, Position, StoredObject } from "./bucket.ts";
import { isProven } from "./bodies.ts";
import { Refusal } from "./refusal.ts";
import type { S3Request } from "./requests.ts";
import { parameter } from "./requests.ts";
import type { XmlContent } from "./xml.ts";
import { elementsOf, toXml, unescapeXml } from "./xml.ts";

/** What the double answers. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface OperationSettings {
  /** Keys on a page at the most. */
  readonly pageSize: number;
  /** Whether the end of an upload tells the etag. */
  readonly tellsUploadEtag: boolean;
}

/** Carries a request out. */
export function perform(request: S3Request, body: Buffer, bucket: Bucket, settings: OperationSettings): Answer {
  const { operation, key, headers } = request;
  if (Buffer.byteLength(key) > 1024) throw new Refusal(400, "KeyTooLongError", "Your key is too long.");
  switch (operation) {
    case "PutObject":
      return answer(200, { etag: quoted(bucket.put(key, body, storedHeaders(headers), headers).etag) });
    case "GetObject":
    case "HeadObject":
      return getObject(request, bucket.get(key));
    case "DeleteObject":
      bucket.delete(key, headers);
      return answer(204);
    case "DeleteObjects":
      return deleteObjects(request, body.toString("utf8"), bucket);
    case "ListObjectsV2":
      return listObjects(request, bucket, settings);
    case "CreateMultipartUpload":
      return xml("InitiateMultipartUploadResult", { Key: key, UploadId: bucket.startUpload(key, storedHeaders(headers)) });
    case "UploadPart":
      return answer(200, { etag: quoted(bucket.putPart(key, uploadId(request), Number(parameter(request, "partNumber")), body)) });
    case "CompleteMultipartUpload": {
      const parts = elementsOf(body.toString("utf8"), "Part").map((part) => ({
        number: Number(elementsOf(part, "PartNumber")[0]),
        etag: unescapeXml(elementsOf(part, "ETag")[0] ?? "").replaceAll('"', ""),
      }));
      const { etag } = bucket.completeUpload(key, uploadId(request), parts, headers);
      return xml("CompleteMultipartUploadResult", { Key: key, ETag: settings.tellsUploadEtag ? quoted(etag) : "" });
    }
    case "AbortMultipartUpload":
      bucket.abortUpload(key, uploadId(request));
      return answer(204);
    case "ListMultipartUploads":
      return listUploads(request, bucket, settings);
  }
}

export function xml(name: string, content: XmlContent, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { "content-type": "application/xml", ...headers }, body: Buffer.from(toXml(name, content)) };
}

function getObject({ headers }: S3Request, { body, etag, modifiedAt, headers: stored }: StoredObject): Answer {
  const told = {
    "content-type": "binary/octet-stream",
    ...stored,
    etag: quoted(etag),
    "last-modified": new Date(modifiedAt).toUTCString(),
    "accept-ranges": "bytes",
  };
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined && ifMatch !== quoted(etag)) throw new Refusal(412, "PreconditionFailed", "The etag is another one.");
  const range = headers["range"];
  if (range === undefined) return { status: 200, headers: told, body };
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  const start = first === "" ? Math.max(body.length - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? body.length : Math.min(Number(last) + 1, body.length);
  if ((first === "" && last === "") || start >= end) throw new Refusal(416, "InvalidRange", "The requested range cannot be satisfied.");
  return {
    status: 206,
    headers: { ...told, "content-range": `bytes ${start}-${end - 1}/${body.length}` },
    body: body.subarray(start, end),
  };
}

function deleteObjects(request: S3Request, text: string, bucket: Bucket): Answer {
  if (!isProven(request)) throw new Refusal(400, "InvalidRequest", "Missing required header for this request: Content-MD5.");
  const keys = elementsOf(text, "Object").map((object) => unescapeXml(elementsOf(object, "Key")[0] ?? ""));
  if (keys.length === 0 || keys.length > 1000) throw new Refusal(400, "MalformedXML", "The XML you provided was not well-formed.");
  const isQuiet = text.includes("<Quiet>true</Quiet>");
  for (const key of keys) bucket.objects.delete(key);
  return xml("DeleteResult", { Deleted: isQuiet ? [] : keys.map((key) => ({ Key: key })) });
}

function listObjects(request: S3Request, bucket: Bucket, { pageSize }: OperationSettings): Answer {
  const prefix = parameter(request, "prefix") ?? "";
  const delimiter = parameter(request, "delimiter");
  const limit = Number(parameter(request, "max-keys") ?? "1000");
  if (!Number.isInteger(limit) || limit < 1)
    throw new Refusal(400, "InvalidArgument", "Argument maxKeys must be an integer of at least 1.");
  const token = parameter(request, "continuation-token");
  const startAfter = parameter(request, "start-after");
  const after = token === undefined ? startAfter && { name: startAfter, isEnd: false } : positionOf(token);
  const page: ListedPage = bucket.list(prefix, delimiter, after === "" ? undefined : after, Math.min(limit, pageSize));
  const told = encoder(request);
  return xml("ListBucketResult", {
    Name: request.bucket,
    Prefix: told(prefix),
    KeyCount: String(page.keys.length + page.prefixes.length),
    MaxKeys: String(limit),
    EncodingType: parameter(request, "encoding-type"),
    IsTruncated: String(page.last !== undefined),
    NextContinuationToken: page.last === undefined ? undefined : Buffer.from(`next:${page.last}`).toString("base64"),
    Contents: page.keys.map((key) => {
      const { etag, modifiedAt, body } = bucket.get(key);
      return { Key: told(key), LastModified: new Date(modifiedAt).toISOString(), ETag: quoted(etag), Size: String(body.length) };
    }),
    CommonPrefixes: page.prefixes.map((each) => ({ Prefix: told(each) })),
  });
}

function positionOf(token: string): Position {
  const text = Buffer.from(token, "base64").toString("utf8");
  if (!text.startsWith("next:")) throw new Refusal(400, "InvalidArgument", "The continuation token provided is incorrect.");
  return { name: text.slice(5), isEnd: true };
}

function listUploads(request: S3Request, bucket: Bucket, { pageSize }: OperationSettings): Answer {
  const prefix = parameter(request, "prefix") ?? "";
  const [afterKey, afterId] = [parameter(request, "key-marker") ?? "", parameter(request, "upload-id-marker") ?? ""];
  const all = [...bucket.uploads]
    .map(([id, upload]) => ({ id, ...upload }))
    .filter(({ id, key }) => key.startsWith(prefix) && (key > afterKey || (key === afterKey && id > afterId)))
    .sort((a, b) => (a.key === b.key ? (a.id < b.id ? -1 : 1) : a.key < b.key ? -1 : 1));
  const page = all.slice(0, pageSize);
  const told = encoder(request);
  const isTruncated = all.length > page.length;
  return xml("ListMultipartUploadsResult", {
    EncodingType: parameter(request, "encoding-type"),
    IsTruncated: String(isTruncated),
    NextKeyMarker: isTruncated ? told(page.at(-1)!.key) : undefined,
    NextUploadIdMarker: isTruncated ? page.at(-1)!.id : undefined,
    Upload: page.map(({ key, id, startedAt }) => ({ Key: told(key), UploadId: id, Initiated: new Date(startedAt).toISOString() })),
  });
}

/** How keys are told: encoded where that was asked for, with a plus for a space, as AWS does. Else XML must be able to hold them. */
function encoder(request: S3Request): (text: string) => string {
  if (parameter(request, "encoding-type") !== "url") return (text) => text;
  return (text) => encodeURIComponent(text).replaceAll("%20", "+").replaceAll("%2F", "/");
}

function storedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const stored: Record<string, string> = {};
  let size = 0;
  for (const [name, value] of Object.entries(headers)) {
    const isUser = name.startsWith("x-amz-meta-");
    if (isUser) size += Buffer.byteLength(name.slice("x-amz-meta-".length)) + Buffer.byteLength(value);
    if (isUser || contentHeaders.has(name)) stored[name] = value;
  }
  if (size > 2048) throw new Refusal(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size.");
  return stored;
}

const contentHeaders: ReadonlySet<string> = new Set([
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
]);

const uploadId = (request: S3Request): string => parameter(request, "uploadId") ?? "";
const quoted = (etag: string): string => `"${etag}"`;
const answer = (status: number, headers: Readonly<Record<string, string>> = {}): Answer => ({ status, headers, body: Buffer.alloc(0) });
