import { skipReason, swiftServer } from "@stowage-tools/servers";
import { expectKept, runContract } from "@stowage/testing/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { S3Storage, s3Storage } from "./s3-storage.ts";
import { isFull, newBucket, skipWithout } from "./testing/buckets.ts";

const reason = isFull ? skipReason("swift") : "it takes long: STOWAGE_EFFORT=full";
let swift: Awaited<ReturnType<typeof swiftServer>>;

describe(
  `Swift${reason === undefined ? "" : ` (${reason})`}`,
  { timeout: 600_000, ...(isFull ? skipWithout(reason) : { skip: true }) },
  () => {
    beforeAll(async () => {
      swift = await swiftServer();
      // Its parts answer one after the other.
      await swift.server.until("values can be stored", async () => {
        const storage = s3Storage(await newBucket(swift));
        const stored = await storage.put("key", Uint8Array.of(1)).catch(() => undefined);
        await storage.close();
        return stored !== undefined;
      });
    }, 90_000);
    afterAll(() => swift?.stop());

    test("probe finds that no condition is honoured", async () => {
      const storage = new S3Storage(await newBucket(swift));
      expect(await storage.probe()).toEqual({ create: false, replace: false, delete: false, stream: false });
      expect((await storage.list()).entries).toEqual([]);
      await storage.close();
    });

    test("content headers and user metadata come back", async () => {
      const storage = s3Storage(await newBucket(swift));
      const metadata = {
        "content-type": "text/plain",
        "cache-control": "no-cache",
        "content-language": "de",
        "content-disposition": "inline",
        author: "Käthe",
      };
      await storage.put("key", Uint8Array.of(1), { metadata });
      expect((await storage.head("key"))?.metadata).toEqual(metadata);
      await storage.close();
    });

    // Swift stores some twenty values in a second, so calls need more patience than elsewhere.
    test("the whole contract, without conditions", async () => {
      const create = async () => {
        const options = await newBucket(swift);
        const open = () => s3Storage(options);
        return { storage: open(), reopen: open };
      };
      expectKept(await runContract({ create }, { patience: 120_000 }));
    });
  },
);
