import { randomUUID } from "node:crypto";
import type { S3Address } from "@stowage-tools/servers";
import type { S3Credentials } from "../lean/sigv4.ts";
import { Signer, emptyPayload, signingTime } from "../lean/sigv4.ts";
import type { S3Options } from "../s3-storage.ts";

/** Where a bucket is, and who may use it. */
export interface BucketOptions extends S3Options {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: S3Credentials;
}

/** Makes a new bucket, and gives the options of a storage in it. */
export async function newBucket(service: S3Address): Promise<BucketOptions> {
  const bucket = `b-${randomUUID()}`;
  const { endpoint, region, accessKeyId, secretAccessKey } = service;
  const credentials = { accessKeyId, secretAccessKey };
  const time = signingTime(Date.now());
  const headers = [
    ["host", new URL(endpoint).host],
    ["x-amz-content-sha256", emptyPayload],
    ["x-amz-date", time],
  ] as const;
  const signed = { method: "PUT", path: `/${bucket}`, query: "", headers, payload: emptyPayload };
  const authorization = new Signer(region).authorization(signed, credentials, time);
  const response = await fetch(`${endpoint}/${bucket}`, {
    method: "PUT",
    headers: { ...Object.fromEntries(headers.slice(1)), authorization },
  });
  if (!response.ok) throw new Error(`The bucket was not made: ${await response.text()}`);
  await response.body?.cancel();
  return { bucket, endpoint, region, credentials };
}

/** Whether tests of a server run here. In CI every program is there: a test that cannot run is a failure. */
export function skipWithout(reason: string | undefined): { readonly skip: boolean } {
  if (reason !== undefined && process.env["CI"] !== undefined) throw new Error(reason);
  return { skip: reason !== undefined };
}

/** Whether the long forms of tests run. */
export const isFull: boolean = process.env["STOWAGE_EFFORT"] === "full";
