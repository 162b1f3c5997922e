import type { ByteStorage, EntryInfo, Storage } from "@stowage/core";
import { json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expectTypeOf, test } from "vitest";
import type { Change, EventsStorage } from "./index.ts";
import { events, watch } from "./index.ts";

declare const layer: EventsStorage<string>;

test("a listener gets the event of the name that it listens to", () => {
  layer.on("get", ({ hit, key }) => {
    expectTypeOf(hit).toEqualTypeOf<boolean>();
    expectTypeOf(key).toEqualTypeOf<string>();
  });
  layer.on("put", ({ info }) => expectTypeOf(info).toEqualTypeOf<EntryInfo | undefined>());
  layer.on("alert", ({ state }) => expectTypeOf(state).toEqualTypeOf<"raised" | "cleared">());
  expectTypeOf(layer.on("clear", () => {})).toEqualTypeOf<() => void>();
  // @ts-expect-error a put is no hit
  layer.on("put", ({ hit }) => hit);
  // @ts-expect-error there is no such event
  layer.on("evicted", () => {});
});

test("the layer keeps what it stands on, bytes or values", () => {
  expectTypeOf(stack(memoryStorage(), events())).toEqualTypeOf<ByteStorage>();
  expectTypeOf(stack(memoryStorage(), json<string>(), events())).toEqualTypeOf<Storage<string>>();
});

test("changes are told apart by their type", () => {
  expectTypeOf(watch(layer)).toEqualTypeOf<AsyncIterable<Change>>();
  const look = (change: Change): void => {
    if (change.type === "put") expectTypeOf(change.info).toEqualTypeOf<EntryInfo | undefined>();
    if (change.type === "clear") expectTypeOf(change.prefix).toEqualTypeOf<string>();
    if (change.type === "overflow") expectTypeOf(change.missed).toEqualTypeOf<number>();
  };
  expectTypeOf(look).toBeFunction();
});
