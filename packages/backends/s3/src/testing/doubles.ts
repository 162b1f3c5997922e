import { S3Client } from "@aws-sdk/client-s3";
import type { S3Double, S3DoubleOptions } from "@stowage/testing/s3";
import { s3Double } from "@stowage/testing/s3";
import { onTestFinished } from "vitest";
import { S3Storage } from "../s3-storage.ts";
import type { S3Options } from "../s3-storage.ts";

/** Who sends the requests of a test. */
export const transports = ["our own client", "the client of the SDK"] as const;
export type TransportName = (typeof transports)[number];

export interface OnDouble {
  readonly double: S3Double;
  readonly storage: S3Storage;
  /** One more storage over the same bucket. */
  readonly another: (options?: Partial<S3Options>) => S3Storage;
}

/** A storage on a double of its own, both closed when the test ends. */
export async function onDouble(
  { transport = "our own client", ...options }: Partial<S3Options> & { readonly transport?: TransportName } = {},
  doubleOptions: S3DoubleOptions = {},
): Promise<OnDouble> {
  const double = await s3Double(doubleOptions);
  const { endpoint, region, accessKeyId, secretAccessKey } = double;
  const credentials = { accessKeyId, secretAccessKey };
  const client = transport === "our own client" ? undefined : new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const address = client === undefined ? { endpoint, region, credentials } : { client };
  const opened: S3Storage[] = [];
  const another = (more: Partial<S3Options> = {}): S3Storage => {
    const conditions = ["create", "replace", "delete", "stream"] as const;
    const storage = new S3Storage({ bucket: "bucket", conditions, ...address, ...options, ...more });
    opened.push(storage);
    return storage;
  };
  onTestFinished(async () => {
    await Promise.all(opened.map((storage) => storage.close()));
    client?.destroy();
    await double.close();
  });
  return { double, storage: another(), another };
}
