import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Refusal } from "./refusal.ts";
import type { S3Request } from "./requests.ts";

/**
 * The bytes that a request stores: taken out of their chunks where it is sent in some, and checked against everything that the request
 * says of them.
 */
export function decodeBody(request: S3Request, raw: Buffer): Buffer {
  const { headers } = request;
  const payload = headers["x-amz-content-sha256"] ?? "UNSIGNED-PAYLOAD";
  const isChunked = payload.startsWith("STREAMING-");
  if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined && request.method !== "GET" && raw.length > 0) {
    throw new Refusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
  }
  if (headers["transfer-encoding"] !== undefined && !isChunked) {
    throw new Refusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
  }
  const trailers: Record<string, string> = {};
  const body = isChunked ? decodeChunks(request, raw, trailers) : raw;
  if (/^[0-9a-f]{64}$/.test(payload)) {
    const found = createHash("sha256").update(body).digest("hex");
    if (found !== payload)
      throw new Refusal(400, "XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 does not match the body.");
  } else if (!isChunked && payload !== "UNSIGNED-PAYLOAD") {
    throw new Refusal(400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a valid sha256 value, or that of a stream.");
  }
  const digest = headers["content-md5"];
  if (digest !== undefined && digest !== createHash("md5").update(body).digest("base64")) {
    throw new Refusal(400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
  }
  checkChecksums({ ...headers, ...trailers }, body);
  return body;
}

/** Whether a request carries anything that proves its body, as bulk deletes must. */
export function isProven({ headers }: S3Request): boolean {
  return headers["content-md5"] !== undefined || Object.keys(headers).some((name) => checksumOf(name) !== undefined);
}

/** Chunks of `aws-chunked`: the length in hex, a line, the bytes, a line; after the last, which is empty, the trailers. */
function decodeChunks({ headers }: S3Request, raw: Buffer, trailers: Record<string, string>): Buffer {
  if (headers["x-amz-content-sha256"] !== "STREAMING-UNSIGNED-PAYLOAD-TRAILER") {
    throw new Refusal(501, "NotImplemented", "Signed chunks are not implemented.");
  }
  const malformed = (): Refusal => new Refusal(400, "InvalidChunkSizeError", "The chunks of the body are malformed.");
  const chunks: Buffer[] = [];
  let at = 0;
  const line = (): string => {
    const end = raw.indexOf("\r\n", at);
    if (end === -1) throw malformed();
    const text = raw.toString("latin1", at, end);
    at = end + 2;
    return text;
  };
  for (;;) {
    const size = line();
    if (!/^[0-9a-f]+$/i.test(size)) throw malformed();
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    chunks.push(raw.subarray(at, at + length));
    at += length;
    if (line() !== "") throw malformed();
  }
  for (let text = at < raw.length ? line() : ""; text !== ""; text = line()) {
    const [name = "", ...value] = text.split(":");
    trailers[name.toLowerCase()] = value.join(":").trim();
  }
  for (const name of (headers["x-amz-trailer"] ?? "").split(",").filter(Boolean)) {
    if (trailers[name.trim().toLowerCase()] === undefined) {
      throw new Refusal(400, "MalformedTrailerError", "The request contained trailing data that was not well-formed.");
    }
  }
  const body = Buffer.concat(chunks);
  if (headers["x-amz-decoded-content-length"] !== String(body.length)) {
    throw new Refusal(400, "IncompleteBody", "The request body is not as long as x-amz-decoded-content-length says.");
  }
  return body;
}

function checkChecksums(headers: Readonly<Record<string, string>>, body: Buffer): void {
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = checksumOf(name);
    if (algorithm === undefined) continue;
    if (checksum(algorithm, body) !== value) {
      throw new Refusal(400, "BadDigest", `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`);
    }
  }
}

const checksumOf = (header: string): string | undefined => /^x-amz-checksum-(crc32|sha1|sha256)$/.exec(header)?.[1];

function checksum(algorithm: string, body: Buffer): string {
  if (algorithm !== "crc32") return createHash(algorithm).update(body).digest("base64");
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString("base64");
}
