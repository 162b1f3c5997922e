import type { AnyStorage } from "@stowage/core";
import { metricsOf } from "@stowage/metrics";
import { expect, test } from "vitest";
import { lint, parseStorages, storagesSchema } from "./index.ts";

const yaml = (layers: string): string => `storages: { users: { backend: memory, layers: [${layers}] } }`;

/** The names of a stack from the backend up. */
function namesOf(storage: AnyStorage): string[] {
  const [below] = storage.inner;
  return [...(below === undefined ? [] : namesOf(below)), storage.name];
}

async function loaded(layers: string, check: (storage: AnyStorage) => unknown): Promise<void> {
  const storages = await parseStorages(yaml(layers), { onWarning: (warning) => expect(warning).toBeUndefined() });
  try {
    await check(storages.get("users"));
  } finally {
    await storages.close();
  }
}

test("metrics: each puts one above the backend and above every layer, wherever it is written", async () => {
  const expected = ["memory", "metrics", "retry", "metrics", "json", "metrics", "cached", "metrics"];
  for (const layers of ["metrics: each, retry, json, cached", "retry, json, metrics: each, cached", "retry, json, cached, metrics: each"]) {
    await loaded(layers.replace("metrics: each", "{ metrics: each }"), (storage) => expect(namesOf(storage)).toEqual(expected));
  }
});

test("it is short for an option, which goes with others", async () => {
  await loaded("json, { metrics: { each: true, name: people } }", async (storage) => {
    await storage.put("a", 1);
    expect(metricsOf(storage).map(({ storage: name, layer }) => [name, layer])).toEqual([
      ["people", "memory"],
      ["people", "json"],
    ]);
  });
});

test("without it there is one, where it is written, under the name of the storage", async () => {
  await loaded("json, metrics, cached, { metrics: { each: false } }", (storage) => {
    expect(namesOf(storage)).toEqual(["memory", "json", "metrics", "cached", "metrics"]);
    expect(metricsOf(storage).map(({ storage: name }) => name)).toEqual(["users", "users"]);
  });
});

test("a stack of nothing but a backend has one", async () => {
  const storages = await parseStorages(yaml("{ metrics: each }"));
  expect(namesOf(storages.bytes("users"))).toEqual(["memory", "metrics"]);
  await storages.close();
});

test("the order that it makes is a wise one", async () => {
  await loaded("retry, json, cached, { metrics: each }", (storage) => expect(lint(storage)).toEqual([]));
});

test("naming it twice, another word, and a layer that is not for each part are refused", async () => {
  const problem = async (layers: string): Promise<string> => {
    const error: unknown = await parseStorages(yaml(layers)).catch((reason: unknown) => reason);
    return (error as Error).message;
  };
  expect(await problem("{ metrics: each }, metrics")).toContain('"metrics" is above each part already; name it once.');
  expect(await problem("{ metrics: each }, { metrics: each }")).toContain('"metrics" is above each part already; name it once.');
  expect(await problem("{ metrics: all }")).toContain("expected a group of options, got text.");
  expect(await problem("{ retry: each }")).toContain("expected a group of options, got text.");
  expect(await problem("{ metrics: { each: 1 } }")).toContain("expected true or false");
});

test("the schema knows both forms, for metrics alone", async () => {
  const { definitions } = (await storagesSchema()) as unknown as { definitions: Record<string, { anyOf: { const?: string }[] }> };
  const short = (name: string): unknown[] => definitions[name]!.anyOf.map((form) => form.const).filter((form) => form !== undefined);
  expect(short("layer-metrics")).toEqual(["each"]);
  expect(short("layer-retry")).toEqual([]);
});
