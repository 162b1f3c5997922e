import { createHmac, hash } from "node:crypto";

/** Who signs. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** When they end; they are asked for again before. */
  readonly expiration?: Date | undefined;
}

/** What a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Encoded as it is sent. */
  readonly path: string;
  /** Encoded as it is sent, sorted by name; empty for none. */
  readonly query: string;
  /** Names in lower case, sorted, with their values. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** SHA-256 of the body in hex, or the word that stands for it. */
  readonly payload: string;
}

/** Stands for the hash of a body that is not signed. */
export const unsigned = "UNSIGNED-PAYLOAD";
export const emptyPayload: string = sha256("");

/** Signs requests by Signature Version 4 for one region and service. Keeps the key of the day. */
export class Signer {
  readonly #region: string;
  readonly #service: string;
  #secret = "";
  #day = "";
  #hmac: DailyHmac | undefined;

  constructor(region: string, service = "s3") {
    this.#region = region;
    this.#service = service;
  }

  /** The value of the `Authorization` header. */
  authorization(request: SignedRequest, credentials: S3Credentials, time: string): string {
    const names = request.headers.map(([name]) => name).join(";");
    const signature = this.signature(request, names, credentials, time);
    return `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${this.scope(time)}, SignedHeaders=${names}, Signature=${signature}`;
  }

  signature({ method, path, query, headers, payload }: SignedRequest, names: string, credentials: S3Credentials, time: string): string {
    let lines = "";
    for (const [name, value] of headers) lines += `${name}:${value}\n`;
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${names}\n${payload}`;
    const text = `AWS4-HMAC-SHA256\n${time}\n${this.scope(time)}\n${sha256(canonical)}`;
    return this.#hmacOf(credentials.secretAccessKey, time.slice(0, 8)).of(text);
  }

  /** What a signature is valid for. */
  scope(time: string): string {
    return `${time.slice(0, 8)}/${this.#region}/${this.#service}/aws4_request`;
  }

  #hmacOf(secret: string, day: string): DailyHmac {
    if (this.#hmac !== undefined && secret === this.#secret && day === this.#day) return this.#hmac;
    let key: Uint8Array = hmac(`AWS4${secret}`, day);
    for (const part of [this.#region, this.#service, "aws4_request"]) key = hmac(key, part);
    this.#secret = secret;
    this.#day = day;
    return (this.#hmac = new DailyHmac(key));
  }
}

/** HMAC-SHA-256 with one key, of ASCII text, in two hashes at once: a `Hmac` takes several times as long to make as to use. */
class DailyHmac {
  readonly #inner: Buffer = Buffer.alloc(blockSize + 1024, 0x36);
  readonly #outer: Buffer = Buffer.alloc(blockSize + 32, 0x5c);

  /** @param key at most 64 bytes */
  constructor(key: Uint8Array) {
    for (const [index, byte] of key.entries()) {
      this.#inner[index]! ^= byte;
      this.#outer[index]! ^= byte;
    }
  }

  /** @param text at most 1,024 characters */
  of(text: string): string {
    const length = this.#inner.write(text, blockSize, "latin1");
    this.#outer.set(hash("sha256", this.#inner.subarray(0, blockSize + length), "buffer"), blockSize);
    return hash("sha256", this.#outer, "hex");
  }
}

/** Bytes of a block of SHA-256. */
const blockSize = 64;

/** A time as signatures have it: `20261121T054608Z`. */
export function signingTime(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

export function sha256(bytes: Uint8Array | string): string {
  return hash("sha256", bytes, "hex");
}

/** Everything but letters, digits and `-._~` as percent and hex, as signatures want it. */
export function encodeText(text: string): string {
  return unreserved.test(text) ? text : encodeURIComponent(text).replaceAll(/[!'()*]/g, asHex);
}

/** As `encodeText`, and slashes stay. */
export function encodeKey(key: string): string {
  return plainKey.test(key) ? key : encodeURIComponent(key).replaceAll(/[!'()*]|%2F/g, (found) => (found === "%2F" ? "/" : asHex(found)));
}

/** A query in the order of its names, without what is undefined. */
export function encodeQuery(query: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(query)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${encodeText(name)}=${encodeText(value)}`)
    .sort()
    .join("&");
}

const unreserved = /^[A-Za-z0-9\-._~]*$/;
const plainKey = /^[A-Za-z0-9\-._~/]*$/;

const asHex = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
const hmac = (key: Uint8Array | string, text: string): Uint8Array => createHmac("sha256", key).update(text).digest();
