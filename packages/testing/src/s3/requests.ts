import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

/** What a request asks for, by the names of the S3 documentation. */
export type S3Operation =
  | "AbortMultipartUpload"
  | "CompleteMultipartUpload"
  | "CreateMultipartUpload"
  | "DeleteObject"
  | "DeleteObjects"
  | "GetObject"
  | "HeadObject"
  | "ListMultipartUploads"
  | "ListObjectsV2"
  | "PutObject"
  | "UploadPart";

/** A request, taken apart. */
export interface S3Request {
  readonly operation: S3Operation;
  readonly bucket: string;
  /** Empty where it is about the bucket. */
  readonly key: string;
  readonly method: string;
  /** As it was sent. */
  readonly path: string;
  /** Decoded, in the order in which it was sent. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws Refusal where it is nothing that the double knows */
export function readRequest(message: IncomingMessage): S3Request {
  const { method = "GET", url = "/" } = message;
  const [path = "/", search = ""] = splitOnce(url, "?");
  const query = search === "" ? [] : search.split("&").map(readParameter);
  const [bucket = "", key = ""] = splitOnce(path.slice(1), "/").map(decodePart);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) headers[name] = Array.isArray(value) ? value.join(",") : (value ?? "");
  return { operation: operationOf(method, key, new Set(query.map(([name]) => name))), bucket, key, method, path, query, headers };
}

export function parameter(request: S3Request, name: string): string | undefined {
  return request.query.find(([found]) => found === name)?.[1];
}

function operationOf(method: string, key: string, query: ReadonlySet<string>): S3Operation {
  const at = `${method} ${key === "" ? "bucket" : "object"}`;
  if (at === "GET bucket" && query.has("uploads")) return "ListMultipartUploads";
  if (at === "GET bucket" && query.has("list-type")) return "ListObjectsV2";
  if (at === "POST bucket" && query.has("delete")) return "DeleteObjects";
  if (at === "POST object" && query.has("uploads")) return "CreateMultipartUpload";
  if (at === "POST object" && query.has("uploadId")) return "CompleteMultipartUpload";
  if (at === "PUT object") return query.has("uploadId") ? "UploadPart" : "PutObject";
  if (at === "DELETE object") return query.has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
  if (at === "GET object") return "GetObject";
  if (at === "HEAD object") return "HeadObject";
  throw new Refusal(501, "NotImplemented", "A header or query you provided implies functionality that is not implemented.");
}

function readParameter(part: string): [string, string] {
  const [name = "", value = ""] = splitOnce(part, "=");
  return [decodePart(name), decodePart(value)];
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(400, "InvalidURI", "Could not parse the specified URI.");
  }
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
