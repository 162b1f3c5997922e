import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "@stowage/core";
import { Refusal } from "./refusal.ts";
import type { S3Request } from "./requests.ts";
import { parameter } from "./requests.ts";

export interface Signatory {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly clock: Clock;
}

/** Milliseconds by which clocks may differ. */
const maxSkew = 15 * 60_000;

/** Checks who sent a request by Signature Version 4, in its headers or its address, and that all that matters is signed. */
export function checkSignature(request: S3Request, signatory: Signatory): void {
  const authorization = request.headers["authorization"];
  if (authorization === undefined && parameter(request, "X-Amz-Signature") === undefined) {
    throw new Refusal(403, "AccessDenied", "Access Denied.");
  }
  const { credential, names, signature, date, payload } =
    authorization === undefined ? fromQuery(request) : fromHeader(request, authorization);
  const [accessKeyId, day = "", region, service, end] = credential.split("/");
  if (accessKeyId !== signatory.accessKeyId) throw new Refusal(403, "InvalidAccessKeyId", "The access key does not exist.");
  if (region !== signatory.region || service !== "s3" || end !== "aws4_request" || !date.startsWith(day)) {
    throw new Refusal(400, "AuthorizationHeaderMalformed", `The region must be "${signatory.region}".`);
  }
  checkTime(request, date, signatory.clock);
  checkNames(request, names);
  const query = request.query.filter(([name]) => name !== "X-Amz-Signature");
  const canonical = [
    request.method,
    canonicalPath(request.path),
    query
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join("&"),
    ...names.map((name) => `${name}:${(request.headers[name] ?? "").trim().replaceAll(/ +/g, " ")}`),
    "",
    names.join(";"),
    payload,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", date, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce<Buffer | string>(hmac, `AWS4${signatory.secretAccessKey}`);
  const expected = hmac(key, text);
  const given = Buffer.from(/^[0-9a-f]{64}$/.test(signature) ? signature : "", "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.");
  }
}

interface Claim {
  readonly credential: string;
  readonly names: readonly string[];
  readonly signature: string;
  readonly date: string;
  readonly payload: string;
}

function fromHeader({ headers }: S3Request, authorization: string): Claim {
  const form = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const [, credential, names, signature] = form.exec(authorization) ?? [];
  const date = headers["x-amz-date"];
  const payload = headers["x-amz-content-sha256"];
  if (credential === undefined || names === undefined || signature === undefined || date === undefined) {
    throw new Refusal(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.");
  }
  if (payload === undefined) throw new Refusal(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256.");
  return { credential, names: names.split(";"), signature, date, payload };
}

function fromQuery(request: S3Request): Claim {
  const need = (name: string): string => {
    const value = parameter(request, name);
    if (value === undefined) throw new Refusal(400, "AuthorizationQueryParametersError", `The query has no ${name}.`);
    return value;
  };
  if (need("X-Amz-Algorithm") !== "AWS4-HMAC-SHA256") {
    throw new Refusal(400, "AuthorizationQueryParametersError", "X-Amz-Algorithm only supports AWS4-HMAC-SHA256.");
  }
  return {
    credential: need("X-Amz-Credential"),
    names: need("X-Amz-SignedHeaders").split(";"),
    signature: need("X-Amz-Signature"),
    date: need("X-Amz-Date"),
    payload: "UNSIGNED-PAYLOAD",
  };
}

function checkTime(request: S3Request, date: string, clock: Clock): void {
  const time = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (Number.isNaN(time)) throw new Refusal(403, "AccessDenied", "X-Amz-Date must be formatted as yyyyMMddTHHmmssZ.");
  const expires = parameter(request, "X-Amz-Expires");
  if (expires === undefined) {
    if (Math.abs(time - clock.now()) > maxSkew) {
      throw new Refusal(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.");
    }
  } else if (!(Number(expires) >= 1 && Number(expires) <= 604_800)) {
    throw new Refusal(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be between 1 and 604800 seconds.");
  } else if (clock.now() >= time + Number(expires) * 1000) {
    throw new Refusal(403, "AccessDenied", "Request has expired.");
  }
}

/** The host and all that S3 acts on must be signed. */
function checkNames({ headers }: S3Request, names: readonly string[]): void {
  const needed = Object.keys(headers).filter((name) => name === "host" || name.startsWith("x-amz-") || name === "content-md5");
  if (!needed.every((name) => names.includes(name)) || names.some((name, index) => index > 0 && names[index - 1]! >= name)) {
    throw new Refusal(403, "AccessDenied", "There were headers present in the request which were not signed.");
  }
}

const canonicalPath = (path: string): string =>
  path
    .split("/")
    .map((part) => encode(decodeURIComponent(part)))
    .join("/");
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();
