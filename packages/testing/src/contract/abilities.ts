import assert from "node:assert/strict";
import type { AnyStorage, Condition } from "@stowage/core";
import { isByteStorage } from "@stowage/core";
import { failure, refuses, rejects } from "./assertions.ts";
import type { ContractContext } from "./promise.ts";
import { trackedSource } from "./sources.ts";

/** What a storage can do beyond the rest, by its `capabilities` alone. */
export type AbilityName = "bytes" | "streams" | "ttl" | "metadata" | Condition | "list" | "ordered" | "atomic" | "outlives";

export interface Ability {
  readonly isPresent: (storage: AnyStorage) => boolean;
  /** Throws unless a storage without the ability says so to its callers. */
  readonly checkRefusal: (context: ContractContext) => Promise<void>;
}

/** A value of `capabilities.conditions`, as an ability. */
function condition(name: Condition, checkRefusal: Ability["checkRefusal"]): Ability {
  return { isPresent: ({ capabilities }) => capabilities.conditions.includes(name), checkRefusal };
}

export const abilities: Readonly<Record<AbilityName, Ability>> = {
  bytes: {
    isPresent: isByteStorage,
    async checkRefusal({ storage }) {
      for (const name of ["read", "write"]) {
        const method: unknown = Reflect.get(storage, name);
        assert.ok(method === undefined, `A storage that cannot stream bytes has no "${name}".`);
      }
    },
  },
  streams: {
    isPresent: (storage) => isByteStorage(storage) && storage.capabilities.streams !== "none",
    async checkRefusal(context) {
      if (!isByteStorage(context.storage)) return await abilities.bytes.checkRefusal(context);
      const { bytes } = context;
      await refuses(context, () => bytes.read("key"), "unsupported");
      const source = trackedSource([Uint8Array.of(1)]);
      await refuses(context, () => bytes.write("key", source.stream()), "unsupported");
      assert.ok(source.cancelled, "A refused write cancels its source.");
      await isMissing(context);
    },
  },
  ttl: {
    isPresent: ({ capabilities }) => capabilities.ttl !== false,
    async checkRefusal(context) {
      await refusesPut(context, { ttl: 1000 });
      await refusesPut(context, { expiresAt: context.now() + 1000 });
      await refusesBatch(context, { ttl: 1000 });
    },
  },
  metadata: {
    isPresent: ({ capabilities }) => capabilities.metadata,
    async checkRefusal(context) {
      await refusesPut(context, { metadata: { name: "text" } });
      await refusesBatch(context, { metadata: { name: "text" } });
    },
  },
  create: condition("create", async (context) => {
    await refusesPut(context, { ifNoneMatch: "*" });
  }),
  replace: condition("replace", async (context) => {
    await refusesPut(context, { ifMatch: "etag" });
    await refusesPut(context, { ifMatch: "" });
  }),
  delete: condition("delete", async (context) => {
    await context.storage.put("key", context.value(0));
    await refuses(context, () => context.storage.delete("key", { ifMatch: "etag" }), "unsupported");
    assert.ok(await context.storage.has("key"), "A refused delete changes nothing.");
  }),
  stream: condition("stream", async (context) => {
    if (!abilities.streams.isPresent(context.storage)) return await abilities.streams.checkRefusal(context);
    for (const options of [{ ifNoneMatch: "*" }, { ifMatch: "etag" }] as const) {
      const source = trackedSource([Uint8Array.of(1)]);
      await refuses(context, () => context.bytes.write("key", source.stream(), options), "unsupported");
      assert.ok(source.cancelled, "A refused write cancels its source.");
    }
    await isMissing(context);
  }),
  list: {
    isPresent: ({ capabilities }) => capabilities.list !== "none",
    async checkRefusal(context) {
      await refuses(context, () => context.storage.list(), "unsupported");
      await refuses(context, () => context.storage.list({ prefix: "a", limit: 1 }), "unsupported");
    },
  },
  ordered: {
    isPresent: ({ capabilities }) => capabilities.list === "ordered",
    async checkRefusal(context) {
      await refuses(context, () => context.storage.list({ delimiter: "/" }), "unsupported");
      await refuses(context, () => context.storage.list({ startAfter: "a" }), "unsupported");
    },
  },
  atomic: {
    isPresent: ({ capabilities }) => capabilities.atomicBatch,
    async checkRefusal(context) {
      const put = { type: "put", key: "key", value: context.value(0) } as const;
      await refuses(context, () => context.storage.batch([put], { atomic: true }), "unsupported");
      await isMissing(context);
    },
  },
  outlives: {
    isPresent: ({ capabilities }) => capabilities.durability !== "memory" || capabilities.shared,
    async checkRefusal({ storage, value }) {
      await storage.put("key", value(0));
      await storage.close();
      await rejects(() => storage.get("key"), "closed");
    },
  },
};

type PutOptions = NonNullable<Parameters<ContractContext["storage"]["put"]>[2]>;

async function refusesPut(context: ContractContext, options: PutOptions): Promise<void> {
  await refuses(context, () => context.storage.put("key", context.value(0), options), "unsupported");
  await isMissing(context);
}

/** A batch is refused as a whole, or the operation is refused inside it. */
async function refusesBatch({ storage, value }: ContractContext, options: Omit<PutOptions, "signal">): Promise<void> {
  const error = await failure(() => storage.batch([{ type: "put", key: "key", value: value(0), options }]));
  const found = Reflect.get(Object(error), "failures") as readonly { readonly error: unknown }[] | undefined;
  await rejects(async () => {
    throw found === undefined ? error : found[0]?.error;
  }, "unsupported");
  await isMissing({ storage });
}

async function isMissing({ storage }: Pick<ContractContext, "storage">): Promise<void> {
  assert.equal(await storage.has("key"), false, "A refused call stores nothing.");
}
