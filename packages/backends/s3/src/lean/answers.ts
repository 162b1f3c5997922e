import type { IncomingMessage } from "node:http";
import type { DeleteFailure, ListedObject, Listing, ObjectInfo, Upload, UploadPage } from "../transport.ts";
import { answeredWith, badAnswer, bareEtag, S3Failure, timeOf } from "../transport.ts";
import type { XmlElement } from "./xml.ts";
import { parseXml, textOf } from "./xml.ts";

/** Bytes of the longest answer that is read as text: 1,000 keys of 1,024 bytes, each three times as long, encoded. */
const maxAnswer = 16 * 2 ** 20;

/** The whole body as text. The signal ends it. */
export function readText(response: IncomingMessage, signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (): void => {
      signal?.removeEventListener("abort", abort);
      response.removeListener("close", cut);
    };
    const fail = (error: unknown): void => {
      stop();
      response.destroy();
      reject(error);
    };
    const abort = (): void => fail(signal!.reason);
    const cut = (): void => fail(cutAnswer());
    if (signal?.aborted === true) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > maxAnswer) fail(badAnswer(`The answer is longer than ${maxAnswer} bytes.`));
    });
    response.once("error", (error) => fail(cutAnswer(error)));
    response.once("close", cut);
    response.once("end", () => {
      stop();
      resolve(Buffer.concat(chunks).toString("utf8"));
    });
  });
}

/** Reads a body that nobody needs, so that its connection can be used again. */
export async function drain(response: IncomingMessage, signal: AbortSignal | undefined): Promise<void> {
  await readText(response, signal);
}

/** An answer that ended before its end. The request was done or not; nobody knows. */
export function cutAnswer(cause?: unknown): S3Failure {
  if (cause instanceof S3Failure) return cause;
  return new S3Failure("The connection ended in the middle of the answer.", { status: 0, code: "NetworkError", isUnknown: true, cause });
}

/** What an answer says that is no success. */
export async function failureOf(response: IncomingMessage, signal: AbortSignal | undefined): Promise<S3Failure> {
  const { statusCode = 0, headers } = response;
  const text = await readText(response, signal);
  const error = text === "" ? undefined : tryParse(text);
  const code = (error?.name === "Error" ? textOf(error, "Code") : undefined) ?? "";
  const region = header(headers["x-amz-bucket-region"]) ?? (error === undefined ? undefined : textOf(error, "Region"));
  return answeredWith(statusCode, code, `The service answered ${statusCode}${code === "" ? "" : ` (${code})`}.`, {
    retryAfter: headers["retry-after"],
    region,
    date: headers.date,
  });
}

/** What the headers of an answer say of the object. */
export function objectOf(response: IncomingMessage, size: number): ObjectInfo {
  const { rawHeaders } = response;
  const headers: string[] = [];
  let etag: string | undefined;
  let modified: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = rawHeaders[index + 1]!;
    if (name === "etag") etag = value;
    else if (name === "last-modified") modified = value;
    else if (name.startsWith("x-amz-meta-") || (name.startsWith("c") && name !== "connection")) headers.push(name, value);
  }
  return { size, etag: bareEtag(etag), modifiedAt: modified === undefined ? undefined : timeOf(modified), headers };
}

/** The length that an answer says its body, or that of a get, has. */
export function lengthOf(response: IncomingMessage): number {
  const length = Number(response.headers["content-length"] ?? Number.NaN);
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw badAnswer("The answer says no length.");
}

export function parseListing(text: string): Listing {
  const root = parse(text, "ListBucketResult");
  const decode = textOf(root, "EncodingType") === "url" ? decodeUrl : (raw: string) => raw;
  const objects: ListedObject[] = [];
  const prefixes: string[] = [];
  for (const child of root.children) {
    if (child.name === "CommonPrefixes") prefixes.push(decode(need(child, "Prefix")));
    else if (child.name === "Contents") objects.push(parseObject(child, decode(need(child, "Key"))));
  }
  return { objects, prefixes, isTruncated: need(root, "IsTruncated") === "true", token: textOf(root, "NextContinuationToken") };
}

function parseObject(element: XmlElement, key: string): ListedObject {
  const size = Number(textOf(element, "Size") ?? Number.NaN);
  if (!Number.isSafeInteger(size)) throw badAnswer("A listed object has no size.");
  const modified = textOf(element, "LastModified");
  return { key, size, etag: bareEtag(textOf(element, "ETag")), modifiedAt: modified === undefined ? undefined : timeOf(modified) };
}

export function parseDeletes(text: string): DeleteFailure[] {
  const failures: DeleteFailure[] = [];
  for (const child of parse(text, "DeleteResult").children) {
    if (child.name !== "Error") continue;
    const code = textOf(child, "Code") ?? "";
    failures.push({ key: need(child, "Key"), failure: keyFailure(code) });
  }
  return failures;
}

/** The failure of one key in a bulk delete, which comes without a status. */
export function keyFailure(code: string): S3Failure {
  const status = statuses[code] ?? 400;
  return answeredWith(status, code, `The service did not delete it (${code}).`, {});
}

const statuses: Readonly<Record<string, number>> = {
  InternalError: 500,
  UnknownError: 500,
  AccessDenied: 403,
  SlowDown: 503,
  ServiceUnavailable: 503,
  OperationAborted: 409,
};

export const parseUploadId = (text: string): string => need(parse(text, "InitiateMultipartUploadResult"), "UploadId");

/** The etag of a completed upload; the answer may be a failure although its status was that of a success. */
export function parseCompletion(text: string): string | undefined {
  const root = tryParse(text);
  if (root?.name === "Error") {
    const code = textOf(root, "Code") ?? "";
    throw answeredWith(code === "PreconditionFailed" ? 412 : 500, code, `The service could not complete the upload (${code}).`, {});
  }
  if (root?.name !== "CompleteMultipartUploadResult") throw badAnswer("The answer is not that of a completed upload.");
  return bareEtag(textOf(root, "ETag"));
}

export function parseUploads(text: string): UploadPage {
  const root = parse(text, "ListMultipartUploadsResult");
  const decode = textOf(root, "EncodingType") === "url" ? decodeUrl : (raw: string) => raw;
  const uploads: Upload[] = [];
  for (const child of root.children) {
    if (child.name !== "Upload") continue;
    const startedAt = timeOf(need(child, "Initiated"));
    if (startedAt === undefined) throw badAnswer("An upload has no time.");
    uploads.push({ key: decode(need(child, "Key")), id: need(child, "UploadId"), startedAt });
  }
  if (textOf(root, "IsTruncated") !== "true") return { uploads, next: undefined };
  return { uploads, next: { key: decode(need(root, "NextKeyMarker")), id: textOf(root, "NextUploadIdMarker") ?? "" } };
}

function parse(text: string, name: string): XmlElement {
  const root = tryParse(text);
  if (root?.name !== name) throw badAnswer(`The answer is no ${name}.`);
  return root;
}

function tryParse(text: string): XmlElement | undefined {
  try {
    return parseXml(text);
  } catch {
    return undefined;
  }
}

function need(element: XmlElement, name: string): string {
  const text = textOf(element, name);
  if (text === undefined) throw badAnswer(`The answer has no ${name}.`);
  return text;
}

/** Undoes `encoding-type=url`, whose spaces are a plus with some services. */
export function decodeUrl(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", "%20"));
  } catch (error) {
    throw badAnswer("A key of the answer is not encoded as it should be.", error);
  }
}

const header = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
