import type { Address } from "./address.ts";
import { pathOf } from "./address.ts";
import type { S3Credentials, Signer } from "./sigv4.ts";
import { encodeQuery, unsigned } from "./sigv4.ts";

export interface PresignRequest {
  readonly method: string;
  readonly key: string;
  readonly seconds: number;
  /** As signatures have it. */
  readonly time: string;
}

/** An address that is signed itself. */
export function presigned(
  { method, key, seconds, time }: PresignRequest,
  address: Address,
  signer: Signer,
  credentials: S3Credentials,
): string {
  const { host, isSecure } = address;
  const path = pathOf(address, key);
  const query = encodeQuery({
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${credentials.accessKeyId}/${signer.scope(time)}`,
    "X-Amz-Date": time,
    "X-Amz-Expires": String(seconds),
    "X-Amz-Security-Token": credentials.sessionToken,
    "X-Amz-SignedHeaders": "host",
  });
  const signed = { method, path, query, headers: [["host", host]], payload: unsigned } as const;
  const signature = signer.signature(signed, "host", credentials, time);
  return `${isSecure ? "https" : "http"}://${host}${path}?${query}&X-Amz-Signature=${signature}`;
}
