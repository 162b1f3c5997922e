import { randomUUID } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";
import { s3Double } from "@stowage/testing/s3";
import type { S3Double } from "@stowage/testing/s3";
import { describeStorage } from "@stowage/testing/contract";
import { afterAll, beforeAll, describe } from "vitest";
import { s3Storage } from "./s3-storage.ts";
import { isFull } from "./testing/buckets.ts";

let double: S3Double;
let client: S3Client;

describe("the double", () => {
  beforeAll(async () => {
    double = await s3Double();
    const { endpoint, region, accessKeyId, secretAccessKey } = double;
    client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  });
  afterAll(async () => {
    client.destroy();
    await double.close();
  });

  const conditions = ["create", "replace", "delete", "stream"] as const;

  describeStorage("s3Storage, with every condition", {
    create() {
      const bucket = randomUUID();
      double.addBucket(bucket);
      const { endpoint, region, accessKeyId, secretAccessKey } = double;
      const open = () => s3Storage({ bucket, endpoint, region, credentials: { accessKeyId, secretAccessKey }, conditions });
      return { storage: open(), reopen: open };
    },
  });

  // The port below the two is the same, so this one runs only with STOWAGE_EFFORT=full.
  if (isFull) {
    describeStorage("s3Storage with the client of the SDK, with every condition", {
      create() {
        const bucket = randomUUID();
        double.addBucket(bucket);
        const open = () => s3Storage({ bucket, client, conditions });
        return { storage: open(), reopen: open };
      },
    });
  }
});
