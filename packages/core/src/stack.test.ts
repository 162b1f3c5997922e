import { expect, test } from "vitest";
import { MapByteStorage } from "../test/map-storage.ts";
import { json } from "./codecs/json.ts";
import { text } from "./codecs/text.ts";
import type { AnyStorage } from "./contract/contract.ts";
import { prefixed } from "./layers/prefixed.ts";
import { readOnly } from "./layers/read-only.ts";
import { TransformedStorage } from "./shapes/transformed-storage.ts";
import { stack } from "./stack.ts";

const untyped = stack as (...parts: unknown[]) => AnyStorage;

class Nothing extends TransformedStorage {
  readonly name = "nothing";
  protected override encode = (value: never): never => value;
  protected override decode = (value: never): never => value;
  protected override layout = (): never => ({ size: 0 }) as never;
  protected override decodeRange = (): never => [] as never;
  protected override encodeStream = (chunks: never): never => chunks;
}

test("layers are put on from the backend up", () => {
  const backend = new MapByteStorage();
  expect(stack(backend)).toBe(backend);
  const names = ["json", "readOnly", "prefixed", "map"];
  for (let storage: AnyStorage | undefined = stack(backend, prefixed("a/"), readOnly(), json()); storage; storage = storage.inner[0])
    expect(storage.name).toBe(names.shift());
});

test("what the compiler would refuse is refused with a sentence when the stack is made", () => {
  const backend = new MapByteStorage();
  const bytes = (inner: AnyStorage): AnyStorage => new Nothing(inner as never);
  const cases: [parts: unknown[], message: string][] = [
    [[undefined, json()], "stack begins with a storage, got undefined."],
    [[{}], "stack begins with a storage, got Object."],
    [[backend, json(), undefined], "Layer 2 of the stack is not a layer but undefined."],
    [[backend, backend], "Layer 1 of the stack is not a layer but MapByteStorage."],
    [[backend, json], "Layer 1 of the stack makes a layer: call it."],
    [[backend, async () => await Promise.resolve(backend)], "Layer 1 of the stack gives no storage but Promise."],
    [[backend, json(), bytes], "This layer works on bytes: put it below the codec."],
    [[backend, json(), json()], "json stands on bytes: one codec is enough, above all layers of bytes."],
    [[backend, json(), text()], "text stands on bytes: one codec is enough, above all layers of bytes."],
  ];
  for (const [parts, message] of cases) {
    expect(() => untyped(...parts)).toThrow(expect.objectContaining({ code: "invalid-option", message }));
  }
});
