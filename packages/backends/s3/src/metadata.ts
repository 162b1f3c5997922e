import type { Metadata } from "@stowage/core";
import type { Headers } from "./transport.ts";

/** What stands beside the bytes of an object. */
export interface ObjectMetadata {
  readonly metadata: Metadata | undefined;
  /** The id of the write that made it, where that wanted one. */
  readonly writeId: string | undefined;
  /** SHA-256 of its bytes in hex, where its writer was asked to store it. */
  readonly sha256: string | undefined;
}

const user = "x-amz-meta-";
const writeIdHeader = "x-amz-meta-stowage-write";
const sha256Header = "x-amz-meta-stowage-sha256";
/** Before the hex of a name that services do not keep as it is. */
const nameHeader = "x-amz-meta-stowage-name-";

/** Before the position of a piece, and the hex of the name that it belongs to. */
const pieceHeader = "x-amz-meta-stowage-piece-";

/** Metadata that S3 has headers of its own for. */
const contentHeaders: ReadonlySet<string> = new Set([
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
]);

/** Types that services give to what has none. */
const defaultTypes: ReadonlySet<string> = new Set([
  "",
  "application/octet-stream",
  "binary/octet-stream",
  "application/x-www-form-urlencoded",
]);

/** Metadata as headers of a request. What a header would not keep exactly is encoded, and put among the user metadata. */
export function headersOf(metadata: Metadata | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (metadata === undefined) return headers;
  for (const [name, text] of Object.entries(metadata)) {
    const keeps =
      isPlain(text) && !(name === "content-type" && defaultTypes.has(text)) && !(name === "content-encoding" && text.includes(chunked));
    if (contentHeaders.has(name) && keeps) headers[name] = text;
    else addUserHeaders(headers, name, isPlain(text) ? text : `${encodedMark}${encodeURIComponent(text)}`);
  }
  return headers;
}

/** What the headers of an object mean. Those that other programs gave it are taken as they are. */
export function metadataOf(headers: readonly string[]): ObjectMetadata {
  let metadata: Map<string, string> | undefined;
  let pieces: string[] | undefined;
  let writeId: string | undefined;
  let sha256: string | undefined;
  for (let index = 0; index < headers.length; index += 2) {
    const header = headers[index]!;
    const text = headers[index + 1]!;
    if (header === writeIdHeader) writeId = text;
    else if (header === sha256Header) sha256 = text;
    else if (header.startsWith(pieceHeader)) (pieces ??= []).push(header, text);
    else if (header.startsWith(user)) (metadata ??= new Map()).set(nameOf(header), decoded(text));
    else if (isSet(header, text)) (metadata ??= new Map()).set(header, metadata?.get(header) ?? text);
  }
  for (const [name, text] of joined(pieces)) (metadata ??= new Map()).set(name, decoded(text));
  // Not by assignment, which would not make an own property of a name as "__proto__".
  return { metadata: metadata === undefined ? undefined : (Object.fromEntries(metadata) as Metadata), writeId, sha256 };
}

/** Headers of a write, with what is hidden in them. */
export function withHidden(
  headers: Headers,
  hidden: { readonly writeId?: string | undefined; readonly sha256?: string | undefined },
): Headers {
  return {
    ...headers,
    ...(hidden.writeId !== undefined && { [writeIdHeader]: hidden.writeId }),
    ...(hidden.sha256 !== undefined && { [sha256Header]: hidden.sha256 }),
  };
}

/** Whether a content header was put there by somebody, and not by the service. */
function isSet(header: string, text: string): boolean {
  if (!contentHeaders.has(header)) return false;
  if (header === "content-type") return !defaultTypes.has(text);
  return header !== "content-encoding" || !text.includes(chunked);
}

/** Names the way in which a request was sent, and some services keep it. */
const chunked = "aws-chunked";

/** As in the extended values of RFC 8187. */
const encodedMark = "utf-8''";

/** Whether a header keeps a text exactly: services cut the spaces around it, and some join those in it. */
function isPlain(text: string): boolean {
  return plainText.test(text) && !text.includes("  ") && !text.startsWith(encodedMark) && !text.includes("=?");
}

const plainText = /^[!-~](?:[ -~]*[!-~])?$/;

function decoded(text: string): string {
  if (!text.startsWith(encodedMark)) return text;
  try {
    return decodeURIComponent(text.slice(encodedMark.length));
  } catch {
    return text; // of another program
  }
}

/** What is longer than services allow for one header stands in several. */
function addUserHeaders(headers: Record<string, string>, name: string, text: string): void {
  if (text.length <= maxLength) {
    headers[headerName(name)] = text;
    return;
  }
  for (let at = 0; at < text.length;) {
    // A piece neither begins nor ends with a space, which services would cut.
    let end = Math.min(at + maxLength, text.length);
    while (end < text.length && (text[end] === " " || text[end - 1] === " ")) end--;
    headers[`${pieceHeader}${String(at).padStart(6, "0")}-${hexOf(name)}`] = text.slice(at, end);
    at = end;
  }
}

/** Pieces put together again, with the names that they belong to. */
function joined(pieces: readonly string[] | undefined): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const headers = pieces?.filter((_, index) => index % 2 === 0).toSorted() ?? [];
  for (const header of headers) {
    const name = textOfHex(header.slice(pieceHeader.length + 7));
    texts.set(name, (texts.get(name) ?? "") + pieces![pieces!.indexOf(header) + 1]!);
  }
  return texts;
}

/** Characters of a header of user metadata; OpenStack Swift takes 256. */
const maxLength = 250;

/** Some services turn `_` and more into `-`, so only the plainest names are used as they are. */
function headerName(name: string): string {
  return plainName.test(name) && !name.startsWith("stowage-") ? `${user}${name}` : `${nameHeader}${hexOf(name)}`;
}

const plainName = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

function nameOf(header: string): string {
  if (!header.startsWith(nameHeader)) return header.slice(user.length);
  return textOfHex(header.slice(nameHeader.length));
}

const hexOf = (text: string): string => Buffer.from(text).toString("hex");
const textOfHex = (hex: string): string => Buffer.from(hex, "hex").toString("latin1");
