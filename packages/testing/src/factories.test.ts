import type { AnyStorage } from "@stowage/core";
import { borrowed, json, limited, prefixed, StorageError, systemClock, text } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import { faulty, mockStorage } from "./index.ts";

/** Everything that core, memory and this package make with options. */
const factories: Readonly<Record<string, (options: never) => AnyStorage>> = {
  memoryStorage: (options) => memoryStorage(options),
  mockStorage: (options) => mockStorage(options),
  faulty: (options) => faulty(options)(memoryStorage()),
  json: (options) => json(undefined as never, options)(memoryStorage()),
  text: (options) => text(options)(memoryStorage()),
  limited: (options) => limited(options)(memoryStorage()),
  prefixed: (options) => prefixed("a/", options)(memoryStorage()),
  borrowed: (options) => borrowed(options)(memoryStorage()),
};

test.each(Object.entries(factories))("%s refuses what are no options, and a clock that is none", (_, make) => {
  for (const wrong of [null, 5, "text", { clock: 5 }, { clock: null }, { clock: { now: () => 0 } }, { klock: systemClock }]) {
    expect(codeOf(() => make(wrong as never))).toBe("invalid-option");
  }
  expect(codeOf(() => make({ clock: undefined } as never))).toBeUndefined();
});

function codeOf(make: () => unknown): unknown {
  try {
    make();
    return undefined;
  } catch (error) {
    return StorageError.is(error) ? error.code : error;
  }
}
