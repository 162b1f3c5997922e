import { s3Double } from "@stowage/testing/s3";
import type { S3Double } from "@stowage/testing/s3";
import { describeStorage } from "@stowage/testing/contract";
import { afterAll, beforeAll, describe } from "vitest";
import { randomUUID } from "node:crypto";
import { s3Storage } from "./s3-storage.ts";

let double: S3Double;

describe("the double", () => {
  beforeAll(async () => {
    double = await s3Double();
  });
  afterAll(() => double.close());

  describeStorage("s3Storage, with every condition", {
    create() {
      const bucket = randomUUID();
      double.addBucket(bucket);
      const { endpoint, region, accessKeyId, secretAccessKey } = double;
      const open = () =>
        s3Storage({
          bucket,
          endpoint,
          region,
          credentials: { accessKeyId, secretAccessKey },
          conditions: ["create", "replace", "delete", "stream"],
        });
      return { storage: open(), reopen: open };
    },
  });
});
