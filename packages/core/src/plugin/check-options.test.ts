import { expect, test } from "vitest";
import { systemClock } from "../contract/clock.ts";
import { StorageError } from "../contract/storage-error.ts";
import { checkOptions } from "./check-options.ts";
import { option } from "./option.ts";

const definitions = {
  attempts: option.whole("How often.", { min: 1, default: 4 }),
  share: option.number("How much.", { max: 1 }),
  timeout: option.duration("How long.", { min: 1 }),
  maxSize: option.size("How large."),
  quick: option.boolean("Whether."),
  prefix: option.text("What first.", { pattern: { source: "^[a-z]+/$", meaning: "letters and a slash" } }),
  codec: option.choice("Which.", ["zstd", "gzip"]),
  directory: option.path("Where."),
  password: option.secret("A word."),
  keys: option.list(
    "Keys.",
    option.object("One key.", { id: option.text("Its name.", { required: true }), key: option.secretKey("It.") }),
    {
      maxLength: 2,
    },
  ),
  labels: option.record("Labels.", option.text("A label.")),
  store: option.byteStorage("A store."),
  legacy: option.either("Old data.", [option.choice("All of it.", ["raw"]), option.object("Some.", { until: option.text("When.") })]),
};

const check = (options: object): void => checkOptions({ ...definitions }, options, "demo", ["random"]);

test("options that fit their definitions pass, and so do clock and names that only code can give", () => {
  check({});
  check({ attempts: undefined, clock: systemClock, random: Math.random });
  check({ attempts: 1, share: 0.5, timeout: 1, maxSize: 0, quick: false, prefix: "a/", codec: "gzip", directory: ".", password: "x" });
  check({ keys: [{ id: "a", key: new Uint8Array(32) }], labels: { a: "b" }, legacy: "raw" });
  check({ legacy: { until: "2027" }, store: { getEntry() {}, read() {} } });
});

test.each<[object, string]>([
  [{ atempts: 1 }, 'demo: there is no option "atempts"; did you mean "attempts"?'],
  [{ colour: 1 }, 'demo: there is no option "colour"; there are attempts, share,'],
  [{ clock: 5 }, "demo: clock must be an object with now() and sleep()."],
  [{ clock: null }, "demo: clock must be an object with now() and sleep()."],
  [{ clock: { now: Date.now } }, "demo: clock must be an object with now() and sleep()."],
  [{ attempts: 0 }, "demo: attempts must be a whole number of at least 1."],
  [{ attempts: 1.5 }, "demo: attempts must be a whole number"],
  [{ attempts: "4" }, "demo: attempts must be a whole number"],
  [{ attempts: Number.NaN }, "demo: attempts must be a whole number"],
  [{ share: 2 }, "demo: share must be a number from 0 to 1."],
  [{ share: Number.NaN }, "demo: share must be a number from 0 to 1."],
  [{ timeout: 0 }, "demo: timeout must be milliseconds of at least 1."],
  [{ timeout: Infinity }, "demo: timeout must be milliseconds"],
  [{ maxSize: -1 }, "demo: maxSize must be bytes."],
  [{ quick: "yes" }, "demo: quick must be true or false."],
  [{ prefix: "A" }, "demo: prefix must be letters and a slash."],
  [{ codec: "lzma" }, 'demo: codec must be "zstd" or "gzip".'],
  [{ directory: "" }, "demo: directory must be a path."],
  [{ password: "" }, "demo: password must be a secret text."],
  [{ keys: {} }, "demo: keys must be a list from 0 to 2 of what is each an object with id, key."],
  [{ keys: [{ id: "a" }, { id: "b" }, { id: "c" }] }, "demo: keys must be a list"],
  [{ keys: [{ key: new Uint8Array(32) }] }, "demo: keys must be a list"],
  [{ keys: [{ id: "a", key: new Uint8Array(31) }] }, "demo: keys must be a list"],
  [{ keys: [{ id: "a", name: "b" }] }, "demo: keys must be a list"],
  [{ labels: { a: 1 } }, "demo: labels must be an object whose values are each text."],
  [{ store: { getEntry() {} } }, "demo: store must be a storage of bytes."],
  [{ legacy: "cooked" }, 'demo: legacy must be "raw", or an object with until.'],
])("%j is refused with invalid-option and a sentence", (options, message) => {
  expect(() => check(options)).toThrow(message);
  expect(() => check(options)).toThrow(StorageError);
});

test.each([undefined, null, "fast", 4])("what is no options at all is refused: %s", (options) => {
  expect(() => check(options as unknown as object)).toThrow(
    expect.objectContaining({ code: "invalid-option", message: "demo: the options must be an object." }) as Error,
  );
});

test("a required option that is missing is named", () => {
  expect(() => checkOptions({ directory: option.path("Where.", { required: true }) }, {}, "demo")).toThrow(
    "demo: the option directory is missing; it must be a path.",
  );
});

test("a secret of the wrong kind does not get into the error", () => {
  for (const options of [{ password: 12345678 }, { keys: [{ id: "a", key: "canary" }] }]) {
    expect(() => check(options)).toThrow(expect.not.stringMatching(/12345678|canary/) as string);
  }
});
