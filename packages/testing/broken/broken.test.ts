import { brokenLayerPromises, codecPromises, contract, expectKept, layerPromises, runContract } from "@stowage/testing/contract";
import { memoryStorage } from "@stowage/memory";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BrokenStorage } from "./control.ts";
import { brokenCodecs, PlainJson } from "./layers/codecs.ts";
import { brokenLayers, IdleLayer } from "./layers/layers.ts";
import { brokenArguments } from "./storages/arguments.ts";
import { brokenBulk } from "./storages/bulk.ts";
import { brokenCalls } from "./storages/calls.ts";
import { brokenConditions } from "./storages/conditions.ts";
import { brokenExpiry } from "./storages/expiry.ts";
import { brokenKeys } from "./storages/keys.ts";
import { brokenLists } from "./storages/lists.ts";
import { brokenValues } from "./storages/values.ts";
import { brokenWrites } from "./storages/writes.ts";
import { makeTwin, SlowTwin, Twin } from "./twin.ts";

// Random input from a fixed seed, so that a control which needs luck fails always or never.
process.env["STOWAGE_SEED"] ??= "7";

const brokenStorages: readonly BrokenStorage[] = [
  ...brokenValues,
  ...brokenKeys,
  ...brokenWrites,
  ...brokenConditions,
  ...brokenExpiry,
  ...brokenLists,
  ...brokenBulk,
  ...brokenCalls,
  ...brokenArguments,
];

/** A hung call is waited for by the real clock, so briefly. */
const patience = 1000;

describe("The contract passes", () => {
  test("the twin that nothing is wrong with", async () => {
    const results = await runContract({ create: ({ clock }) => makeTwin(Twin, clock) });
    expectKept(results);
    expect(results).toHaveLength(contract.length);
  });

  test("a storage that takes its time", async () => {
    expectKept(await runContract({ create: ({ clock }) => new SlowTwin(memoryStorage({ clock }), clock) }));
  });

  test("the layer that nothing is wrong with", async () => {
    expect(await brokenLayerPromises({ create: (inner, { clock }) => new IdleLayer(inner, clock) })).toEqual(new Map());
  });

  test("the codec that nothing is wrong with", async () => {
    for (const promise of codecPromises({ create: () => (inner) => new PlainJson(inner), arbitrary: anyJson })) await promise.run();
  });
});

describe("The contract fails a storage that", () => {
  for (const { does, caughtBy, create } of brokenStorages) {
    test(`${does}, by "${caughtBy}"`, async () => {
      expect(contract.map(({ name }) => name)).toContain(caughtBy);
      const [result] = await runContract({ create }, { only: ({ name }) => name === caughtBy, patience });
      expect(result?.outcome).toBe("broken");
    });
  }

  test("is broken in any of these ways, each of which is told by one name", () => {
    expect(new Set(brokenStorages.map(({ does }) => does)).size).toBe(brokenStorages.length);
  });
});

describe("The contract fails a layer that", () => {
  for (const { does, caughtBy, ...subject } of brokenLayers) {
    test(`${does}, by "${caughtBy}"`, async () => {
      expect(layerPromises(subject).map(({ name }) => name)).toContain(caughtBy);
      const broken = await brokenLayerPromises(subject, { only: (name) => name === caughtBy, patience });
      expect(Array.from(broken.keys())).toEqual([caughtBy]);
    });
  }
});

describe("The contract fails a codec that", () => {
  for (const { does, caughtBy, create } of brokenCodecs) {
    test(`${does}, by "${caughtBy}"`, async () => {
      const promise = codecPromises({ create, arbitrary: anyJson }).find(({ name }) => name === caughtBy);
      expect(promise).toBeDefined();
      await expect(promise?.run()).rejects.toThrow();
    });
  }
});

const anyJson = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);
