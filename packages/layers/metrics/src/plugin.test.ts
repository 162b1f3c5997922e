import type { AnyStorage, LayerPlugin } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { VirtualClock } from "@stowage/testing";
import { expect, test } from "vitest";
import { metrics, metricsOf } from "./index.ts";
import { plugins } from "./plugin.ts";

test("a storage file gives the storage its name, and options reach the layer", () => {
  const plugin = plugins[0] as LayerPlugin;
  expect(plugin).toMatchObject({ kind: "layer", name: "metrics", takes: "any", traits: ["measures"] });
  expect(Object.keys(plugin.options)).toEqual(["each", "enabled", "name", "spans"]);
  const made = (options: object): AnyStorage =>
    plugin.make(options as never, { storage: "users", clock: new VirtualClock() })(memoryStorage() as never);
  expect(made({}).details().options).toEqual({ name: "users", spans: false });
  expect(made({ name: "people", spans: true, each: true }).details().options).toEqual({ name: "people", spans: true });
  expect(metricsOf(made({ enabled: false }))).toEqual([]);
});

test("in code there is no each: several layers are written", () => {
  expect(() => metrics({ each: true } as never)).toThrow('there is no option "each"');
});
