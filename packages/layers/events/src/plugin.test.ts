import type { AnyStorage, Plugin } from "@stowage/core";
import { findLayer, systemClock } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { EventsStorage } from "./index.ts";
import { plugins } from "./plugin.ts";

const [plugin] = plugins as readonly Extract<Plugin, { kind: "layer" }>[];

function made(options: object): EventsStorage<unknown> {
  const layer = plugin!.make(options as never, { storage: "users", clock: systemClock }) as (inner: AnyStorage) => AnyStorage;
  return findLayer(layer(memoryStorage()), EventsStorage)!;
}

test("in a storage file the place is called as the storage is, unless told otherwise", () => {
  expect(made({}).details().options).toMatchObject({ subject: "users" });
  expect(made({ subject: "people" }).details().options).toMatchObject({ subject: "people" });
});

test("alerts of a file are checked as those of code are", () => {
  const alerts = [{ metric: "latency", above: 250, for: 60_000 }];
  expect(made({ alerts }).details().options).toMatchObject({ alerts });
  expect(() => made({ alerts: [{ metric: "hitRatio", below: 5 }] })).toThrow("must be from 0 to 1");
});
