import { expectTypeOf, test } from "vitest";
import type { AnyStorage, Bytes } from "../contract/contract.ts";
import type { Plugin } from "./plugin.ts";
import { definePlugin } from "./plugin.ts";
import { option } from "./option.ts";

declare const storage: AnyStorage;

test("make gets the types that the definitions describe", () => {
  const plugin = definePlugin({
    kind: "backend",
    name: "demo",
    description: "A demo.",
    gives: "bytes",
    options: {
      directory: option.path("Where.", { required: true }),
      timeout: option.duration("How long.", { default: 5 }),
      layout: option.choice("How.", ["tree", "encoded"]),
      keys: option.list("Keys.", option.object("One.", { id: option.text("Its name.", { required: true }), key: option.secretKey("It.") })),
      labels: option.record("Labels.", option.text("A label.")),
      store: option.storage("A store."),
      budget: option.either("How much.", [option.number("A share."), option.boolean("None.")]),
    },
    make(options, { clock }) {
      expectTypeOf(options.directory).toEqualTypeOf<string>();
      expectTypeOf(options.timeout).toEqualTypeOf<number | undefined>();
      expectTypeOf(options.layout).toEqualTypeOf<"tree" | "encoded" | undefined>();
      expectTypeOf(options.keys?.[0]?.id).toEqualTypeOf<string | undefined>();
      expectTypeOf(options.keys?.[0]?.key).toEqualTypeOf<Bytes | undefined>();
      expectTypeOf(options.labels).toEqualTypeOf<Readonly<Record<string, string>> | undefined>();
      expectTypeOf(options.store).toEqualTypeOf<AnyStorage | undefined>();
      expectTypeOf(options.budget).toEqualTypeOf<number | boolean | undefined>();
      expectTypeOf(clock.now()).toEqualTypeOf<number>();
      return storage;
    },
  });
  const known: readonly Plugin[] = [plugin];
  expectTypeOf(known).toEqualTypeOf<readonly Plugin[]>();
});

test("a default must be of the option's kind", () => {
  // @ts-expect-error a duration is a number of milliseconds
  option.duration("How long.", { default: "5m" });
  // @ts-expect-error not one of the words
  option.choice("How.", ["tree", "encoded"], { default: "flat" });
});

test("a layer says what it takes, and a backend what it gives", () => {
  const layer = { kind: "layer", name: "demo", description: "A demo.", options: {}, make: () => () => storage } as const;
  const backend = { kind: "backend", name: "demo", description: "A demo.", options: {}, make: () => storage } as const;
  definePlugin({ ...layer, takes: "any" });
  definePlugin({ ...backend, gives: "bytes" });
  // @ts-expect-error takes is missing
  definePlugin(layer);
  // @ts-expect-error gives is missing
  definePlugin(backend);
});
