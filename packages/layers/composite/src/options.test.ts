import type { Bytes, ByteStorage, Capabilities } from "@stowage/core";
import { explain, ForwardingStorage, json, readOnly, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { describe, expect, test } from "vitest";
import type { CompositeOptions, CompositeStorage } from "./index.ts";
import { composite } from "./index.ts";
import { without } from "./testing/weaker.ts";

const one = memoryStorage();
const two = memoryStorage();
const replicas = { one, two };

test.each<[object, string]>([
  [undefined as unknown as object, "the options must be an object"],
  [{}, "replicas must be storages by name"],
  [{ replicas: [null] }, "each of replicas must be { name, storage }"],
  [{ replicas: {} }, "at least one"],
  [{ replicas: { "1": one } }, "a letter, then letters"],
  [
    {
      replicas: [
        { name: "a", storage: one },
        { name: "a", storage: two },
      ],
    },
    'two of the name "a"',
  ],
  [{ replicas: { one, again: one } }, '"again" is the same storage as another one'],
  [{ replicas: { one: stack(memoryStorage(), json()) } }, "put the codec above the composite"],
  [{ replicas: { one: null } }, "must be a storage of bytes"],
  [{ replicas: { one, nested: stack(composite({ replicas: { two } }), readOnly()) } }, "is a composite itself"],
  [{ replicas: { one: without({ metadata: false }) } }, "put envelope() on its stack"],
  [{ replicas, write: { quorum: 3 } }, "write asks for 3 replicas, and there are 2"],
  [{ replicas, write: { quorum: 0 } }, "write must be"],
  [{ replicas, write: "most" }, "write must be"],
  [{ replicas, read: { quorum: 3 } }, "read asks for 3 replicas"],
  [{ replicas, read: { quorum: 2 }, readMissing: "next" }, "not for a read quorum"],
  [{ replicas, readRepair: true }, "readRepair needs a read quorum"],
  [{ replicas, promote: true }, 'promote needs readMissing: "next"'],
  [{ replicas: { one: without({ conditions: [] }), two }, readMissing: "next" }, 'lacks the condition "create"'],
  [{ replicas, timeout: 0 }, "timeout must be"],
  [{ replicas, readMising: "next" }, 'did you mean "readMissing"?'],
  [{ replicas, breaker: { failures: 0 } }, "breaker must be"],
])("options that make no sense are refused in words: %#", (options, message) => {
  expect(() => composite(options as CompositeOptions)).toThrow(expect.objectContaining({ code: "invalid-option" }) as Error);
  expect(() => composite(options as CompositeOptions)).toThrow(message);
});

test("a composite below a layer that stands on two storages is no replica either", () => {
  class Twofold extends ForwardingStorage<Bytes> {
    readonly name = "twofold";
    override readonly inner = [this.below, memoryStorage()];
  }
  const nested = new Twofold(composite({ replicas: { one } })) as unknown as ByteStorage;
  expect(() => composite({ replicas: { two, nested } })).toThrow("is a composite itself");
});

test("replicas that never get a copy need no condition", () => {
  composite({ replicas: { one, two: without({ conditions: [] }) }, readMissing: "next" });
  composite({ replicas: { one: without({ conditions: [] }), two }, readMissing: "next", promote: false });
});

describe("capabilities are those of the weakest replica", () => {
  test.each<[Partial<Capabilities>, Partial<Capabilities>]>([
    [{}, { ttl: "native", list: "ordered", anyKey: true, streams: "buffered", durability: "memory", metadata: true }],
    [{ ttl: "lazy" }, { ttl: "lazy" }],
    [{ ttl: false }, { ttl: false }],
    [{ list: "unordered" }, { list: "unordered" }],
    [{ list: "none" }, { list: "none" }],
    [{ anyKey: false }, { anyKey: false }],
    [{ streams: "none" }, { streams: "none" }],
    [{ shared: true }, { shared: false }],
  ])("%j", (weaker, expected) => {
    const { capabilities } = composite({ replicas: { one, weaker: without(weaker) } });
    expect(capabilities).toMatchObject({ ...expected, conditions: [], atomicBatch: false });
  });

  test("but for durability where a read asks on until it finds what any of them has kept", () => {
    const stacks = { memory: one, disk: without({ durability: "power" }), tape: without({ durability: "process" }) };
    const durability = (options: Omit<CompositeOptions, "replicas">): string =>
      composite({ ...options, replicas: stacks }).capabilities.durability;
    expect(durability({})).toBe("memory");
    expect(durability({ write: { quorum: 2 }, read: { quorum: 2 } })).toBe("memory");
    expect(durability({ readMissing: "next" })).toBe("power");
    expect(durability({ readMissing: "next", write: { quorum: 2 } })).toBe("process");
    expect(durability({ readMissing: "next", write: { quorum: 1 } })).toBe("memory");
  });
});

test("explain draws the stack of every replica and names them, and stats tell how each does", async () => {
  const storage = composite({ replicas, write: { quorum: 1 } }) as CompositeStorage;
  expect(explain(storage)).toContain('composite  replicas: ["one","two"], write: {"quorum":1}, read: "first", timeout: 10000');
  expect(explain(storage).match(/memory/g)).toHaveLength(3); // and the durability
  await storage.put("a", Uint8Array.of(1));
  await storage.flush();
  expect(storage.stats().replicas.map(({ name, health }) => [name, health])).toEqual([
    ["one", "up"],
    ["two", "up"],
  ]);
  expect(storage.details().stats).toMatchObject({ "one.up": 1, "two.failures": 0, partial: 0 });
});
