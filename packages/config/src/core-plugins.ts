import type { Plugin } from "@stowage/core";
import { definePlugin, json, limited, option, prefixed, readOnly, text } from "@stowage/core";

/** The layers and codecs of core itself, which is always there. */
export const corePlugins: readonly Plugin[] = [
  definePlugin({
    kind: "codec",
    name: "json",
    description: "Keeps values as JSON.",
    options: {},
    make: (_, { clock }) => json(undefined, { clock }),
  }),
  definePlugin({
    kind: "codec",
    name: "text",
    description: "Keeps text as UTF-8.",
    options: {},
    make: (_, { clock }) => text({ clock }),
  }),
  definePlugin({
    kind: "layer",
    name: "limited",
    description: "Refuses values, keys and calls that are over a limit.",
    takes: "any",
    traits: ["limits"],
    options: {
      maxSize: option.size("Bytes of a value at the most, on a storage of bytes; a larger one is `too-large`."),
      timeout: option.duration("How long a call may take; then it rejects with `timeout`.", { min: 1 }),
      keys: option.list(
        "Patterns of the keys that there are: `*.json`, `images/**`. `*` is any text without a slash, `**` any text, `?` one character; a pattern without a slash is about the last segment.",
        option.text("A pattern."),
        { minLength: 1 },
      ),
    },
    make: (options, { clock }) => limited({ ...options, clock }),
  }),
  definePlugin({
    kind: "layer",
    name: "prefixed",
    description: "Shows only what is below a prefix, under keys without it: several storages in one.",
    takes: "any",
    traits: ["rekeys"],
    options: { prefix: option.text("What the keys below start with, with its separator: `users/`.", { required: true }) },
    make: ({ prefix }, { clock }) => prefixed(prefix, { clock }),
  }),
  definePlugin({
    kind: "layer",
    name: "readOnly",
    description: "Lets reads through and rejects every write.",
    takes: "any",
    options: {},
    make: () => readOnly(),
  }),
];
