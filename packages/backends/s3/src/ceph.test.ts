import { cephServer, skipReason } from "@stowage-tools/servers";
import type { CephServer } from "@stowage-tools/servers";
import { describeStorage } from "@stowage/testing/contract";
import { afterAll, beforeAll, describe } from "vitest";
import { s3Storage } from "./s3-storage.ts";
import { newBucket, skipWithout } from "./testing/buckets.ts";

const reason = skipReason("ceph");
let ceph: CephServer;

describe(`Ceph${reason === undefined ? "" : `, which is missing: ${reason}`}`, { timeout: 60_000, ...skipWithout(reason) }, () => {
  beforeAll(async () => {
    ceph = await cephServer();
  });
  afterAll(() => ceph?.stop());

  describeStorage("s3Storage on Ceph", {
    async create() {
      const options = await newBucket(ceph);
      const open = () => s3Storage({ ...options, conditions: ["create", "replace"] });
      return { storage: open(), reopen: open };
    },
  });
});
