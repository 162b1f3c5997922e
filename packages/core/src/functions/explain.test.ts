import { expect, test } from "vitest";
import { MapByteStorage, MapStorage } from "../../test/map-storage.ts";
import { json } from "../codecs/json.ts";
import type { AnyStorage, Details } from "../contract/contract.ts";
import { limited } from "../layers/limited.ts";
import { prefixed } from "../layers/prefixed.ts";
import { readOnly } from "../layers/read-only.ts";
import { ForwardingStorage } from "../shapes/forwarding-storage.ts";
import { stack } from "../stack.ts";
import { explain } from "./explain.ts";

test("a stack is drawn from the backend up, with the options of each part and what all of it can do", () => {
  const users = stack(new MapByteStorage(), limited({ timeout: 5_000, keys: ["*.json"] }), json(), prefixed("users/"), readOnly());
  expect(explain(users)).toBe(
    `
┌ map
├ limited   timeout: 5000, keys: ["*.json"]
├ json
├ prefixed  prefix: "users/"
└ readOnly

ttl          native
metadata     yes
conditions   none
list         ordered
atomicBatch  no
anyKey       no
streams      none
durability   memory
shared       no`.trimStart(),
  );
});

test("a backend alone is one line", () => {
  expect(explain(new MapByteStorage()).split("\n").slice(0, 2)).toEqual(["─ map", ""]);
});

test("a part that stands on several storages has their stacks inside it", () => {
  const inner = [stack(new MapByteStorage({ name: "file" }), prefixed("a/")), new MapByteStorage({ name: "s3" })];
  const lower = new Combined("replicated", inner);
  const both = stack(new Combined("tiered", [new MapStorage({ name: "memory" }), lower as never]), prefixed("b/"));
  expect(explain(both).split("\n\n")[0]).toBe(
    `
┌ tiered
│ ─ memory
│ ─ replicated
│   ┌ file
│   └ prefixed  prefix: "a/"
│   ─ s3
└ prefixed  prefix: "b/"`.trimStart(),
  );
});

test("options of any kind are shown in one short line", () => {
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const options = { text: "a\nb", left: undefined, run: () => 1, big: 10n, circle, long: "x".repeat(100), nested: { a: [1] } };
  const [line = ""] = explain(new Combined("odd", [], options)).split("\n");
  expect(line).toBe(`─ odd  text: "a\\nb", run: a function, big: 10, circle: Object, long: "${"x".repeat(58)}…, nested: {"a":[1]}`);
});

class Combined extends ForwardingStorage<never> {
  readonly name: string;
  override readonly inner: readonly AnyStorage[];
  readonly #options: Details["options"];

  constructor(name: string, inner: readonly AnyStorage[], options: Details["options"] = {}) {
    super(new MapStorage<never>());
    this.name = name;
    this.inner = inner;
    this.#options = options;
  }

  override details(): Details {
    return { options: this.#options, stats: {} };
  }
}
