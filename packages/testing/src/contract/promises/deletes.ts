import { codeOf, equal } from "../assertions.ts";
import type { ContractContext, ContractPromise } from "../promise.ts";
import { needs, section } from "../promise.ts";
import { keysOf } from "../reading.ts";
import { exactOrRefused } from "./keys.ts";

export const deletes: readonly ContractPromise[] = section(8, {
  "delete removes an entry and gives nothing": async ({ storage, value }) => {
    await storage.put("key", value(0));
    equal(await storage.delete("key"), undefined, "What delete gives");
    equal(await storage.get("key"), undefined);
  },
  "delete of what is not there succeeds": async ({ storage }) => {
    equal(await storage.delete("missing"), undefined, "What delete gives");
    equal(await storage.delete("deep/down/missing"), undefined, "What delete gives");
  },
  "delete succeeds again and again": async ({ storage, value }) => {
    await storage.put("key", value(0));
    for (let count = 0; count < 3; count++) equal(await storage.delete("key"), undefined, "What delete gives");
    equal(await storage.has("key"), false, "has");
  },
  "deletes of one key at once all succeed": async ({ storage, value }) => {
    await storage.put("key", value(0));
    await Promise.all(Array.from({ length: 8 }, () => storage.delete("key")));
    equal(await storage.has("key"), false, "has");
  },
  "a key can be put again after a delete": async ({ storage, value }) => {
    await storage.put("key", value(0));
    await storage.delete("key");
    await storage.put("key", value(1));
    equal(await storage.get("key"), value(1));
  },
  "delete leaves every other key": async ({ storage, value }) => {
    const names = ["b/c", "b/cc", "b/d", "b-c", "bb", "c"];
    for (const name of names) await storage.put(name, value(0));
    await storage.delete("b/c");
    equal(await Promise.all(names.map((name) => storage.has(name))), [false, true, true, true, true, true], "has");
  },
  "delete of a prefix is no delete of what is under it": async ({ storage, value, capabilities }) => {
    await storage.put("b/c", value(0));
    await storage.delete("b").catch((error: unknown) => {
      if (capabilities.anyKey) throw error;
    });
    equal(await storage.get("b/c"), value(0));
  },
  "delete of what expired succeeds": needs("ttl", async ({ storage, value, advance }) => {
    await storage.put("key", value(0), { ttl: 100 });
    await advance(100);
    equal(await storage.delete("key"), undefined, "What delete gives");
  }),
  "clear removes every entry": needs("list", async (context) => {
    await fill(context);
    equal(await context.storage.clear(), undefined, "What clear gives");
    equal(await keysOf(context.storage), [], "What is left");
    equal(await context.storage.has("b/c"), false, "has");
  }),
  "clear with a prefix removes what starts with it": needs("list", async (context) => {
    await fill(context);
    await context.storage.clear({ prefix: "b/" });
    equal(await keysOf(context.storage), ["a", "b-c", "bb", "c"], "What is left");
    await context.storage.clear({ prefix: "b" });
    equal(await keysOf(context.storage), ["a", "c"], "What is left");
  }),
  "clear with an empty prefix removes every entry": needs("list", async (context) => {
    await fill(context);
    await context.storage.clear({ prefix: "" });
    equal(await keysOf(context.storage), [], "What is left");
  }),
  "clear takes no character of a prefix for a wild card": needs("list", async (context) => {
    const taken = await exactOrRefused(context, ["a_b", "axb", "a%b", "a*b", "a.b"]);
    for (const prefix of ["a_", "a%", "a*", "a."]) {
      const left = (await keysOf(context.storage)).filter((key) => !key.startsWith(prefix));
      await context.storage.clear({ prefix });
      equal(await keysOf(context.storage), left, `What clear("${prefix}") leaves of ${taken.length}`);
    }
  }),
  "clear of nothing succeeds": needs("list", async ({ storage }) => {
    equal(await storage.clear(), undefined, "What clear gives");
    equal(await storage.clear({ prefix: "missing" }), undefined, "What clear gives");
  }),
  "clear removes more than a page holds": needs("list", async ({ storage, value }) => {
    const many = Array.from({ length: 1003 }, (_, index) => ({ type: "put", key: `many-${index}`, value: value(0) }) as const);
    await storage.batch(many);
    await storage.put("other", value(0));
    await storage.clear({ prefix: "many-" });
    equal(await keysOf(storage), ["other"], "What is left");
  }),
  "a storage works on after clear": needs("list", async ({ storage, value }) => {
    await storage.put("key", value(0));
    await storage.clear();
    await storage.put("key", value(1));
    equal(await storage.get("key"), value(1));
    equal(await keysOf(storage), ["key"], "The listing");
  }),
  "clear removes everything or is refused, but never half": async ({ storage, value, capabilities }) => {
    await storage.put("key", value(0));
    await storage.put("other", value(0));
    const refused = await storage.clear().then(
      () => false,
      (error: unknown) => codeOf(error) === "unsupported" && capabilities.list === "none",
    );
    equal([await storage.has("key"), await storage.has("other")], [refused, refused], "has");
  },
});

async function fill({ storage, value }: ContractContext): Promise<void> {
  for (const key of ["a", "b/c", "b/d", "b-c", "bb", "c"]) await storage.put(key, value(0));
}
