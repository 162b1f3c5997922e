import { anyLayer, definePlugin, option, StorageError } from "@stowage/core";
import { expect, test } from "vitest";
import { FakeLayer } from "../test/fakes.ts";
import { parseStorages } from "./index.ts";

const limited = definePlugin({
  kind: "layer",
  name: "limited-by-either",
  description: "Takes a number, a time, or a size.",
  takes: "any",
  options: {
    above: option.either("The limit.", [option.number("A number."), option.duration("A time.")]),
    size: option.either("The size.", [option.size("Bytes."), option.text("A word.")]),
  },
  make: (options) => anyLayer((inner) => new FakeLayer(inner, "limited-by-either", options)),
});

const optionsOf = async (text: string): Promise<unknown> => {
  const storages = await parseStorages(`storages: { a: { backend: memory, layers: [limited-by-either: ${text}] } }`, {
    plugins: [limited],
  });
  return storages.bytes("a").details().options;
};

test.each([
  ["{ above: 0.01 }", { above: 0.01 }],
  ["{ above: 10_000 }", { above: 10_000 }],
  ["{ above: 250ms }", { above: 250 }],
  ["{ above: 5m }", { above: 300_000 }],
  ["{ size: 5KB }", { size: 5_000 }],
  ["{ size: small }", { size: "small" }],
])("of a number, a time or a word, %s takes the kind that it is", async (text, expected) => {
  expect(await optionsOf(text)).toMatchObject(expected);
});

test.each(["{ above: 5 bananas }", "{ above: soon }", "{ above: 5mb }"])("%s is none of them", async (text) => {
  await expect(optionsOf(text)).rejects.toThrow(StorageError);
});
