import { byHand, lruByHand, ours, peers } from "./caches.ts";
import { keysOf } from "./calls.ts";

/** Fills one cache, and prints the bytes that an entry costs beyond its key and its value, which are there before. */
const [name = "", size = ""] = process.argv.slice(2);
const make = { [byHand]: lruByHand, "cached()": ours({ values: "shared" }), ...peers }[name];
if (make === undefined) throw new Error(`There is no cache "${name}".`);
const keys = keysOf(Number(size));
const values = new Map(keys.map((key) => [key, new Uint8Array(100)]));
const cache = make(async (key) => values.get(key)!, { entries: keys.length });
await cache.get(keys[0]!);
const before = heap();
for (const key of keys) await cache.get(key);
console.log((heap() - before) / keys.length);
await cache.get(keys[0]!); // so that it is held until here
process.exit(); // whatever timers a cache has

function heap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
