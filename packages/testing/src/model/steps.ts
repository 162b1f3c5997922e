import type { AnyStorage, Metadata } from "@stowage/core";
import { isByteStorage } from "@stowage/core";
import * as fc from "fast-check";

/** One thing that a client does, as plain data: what fast-check shrinks and prints. */
export type Step =
  | PutStep
  | DeleteStep
  | { readonly step: "look"; readonly by: "get" | "getEntry" | "head" | "has"; readonly key: string }
  | { readonly step: "getEntries"; readonly keys: readonly string[] }
  | ReadStep
  | ListStep
  | BatchStep
  | { readonly step: "clear"; readonly prefix?: string }
  | { readonly step: "copy"; readonly from: string; readonly to: string }
  | { readonly step: "advance"; readonly duration: number }
  | { readonly step: "flush" | "reopen" };

/** What a conditional call asks for: nothing there, the version that is there, one that was there, one that never was. */
export type Condition = "absent" | "current" | "stale" | "unknown";

export interface PutStep {
  readonly step: "put";
  readonly key: string;
  /** Number of the sample. */
  readonly value: number;
  /** How a streamed one comes in. @default with put */
  readonly source?: "blob" | "stream" | "iterable" | "function";
  /** Milliseconds, or an expiry in the past. */
  readonly ttl?: number | "past";
  readonly metadata?: Metadata;
  readonly condition?: Condition;
}

export interface DeleteStep {
  readonly step: "delete";
  readonly key: string;
  readonly condition?: Condition;
}

export interface ReadStep {
  readonly step: "read";
  readonly key: string;
  readonly start?: number;
  readonly end?: number;
  /** Bytes after which it is cancelled. */
  readonly cancelAfter?: number;
  readonly condition?: Condition;
}

export interface ListStep {
  readonly step: "list";
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly startAfter?: string;
  readonly limit?: number;
  readonly info?: boolean;
  /** Done between the first page and the second. */
  readonly meanwhile?: readonly (PutStep | DeleteStep)[];
}

export interface BatchStep {
  readonly step: "batch";
  readonly atomic?: boolean;
  readonly operations: readonly (PutStep | DeleteStep)[];
}

/** Keys that every storage takes; some sort close to a delimiter. None is the folder of another. */
const plainKeys = ["a", "b", "d-x", "d.x", "d/a", "d/b", "d/e/a", "d/e/b", "d0", "z"];

/** Keys that need `anyKey`: folders of others, upper case, what has a meaning elsewhere, and both sides of the surrogates. */
const anyKeys = ["d", "d/e", "d/", "A", "%61", "a b", "__proto__", "é", "e\u0301", "\uffff", "\u{10000}"];

/** Random steps that a storage can take, by its `capabilities`. */
export function stepsFor(storage: AnyStorage, values: number, maxLength: number, faults: boolean): fc.Arbitrary<readonly Step[]> {
  const { capabilities } = storage;
  const bytes = isByteStorage(storage) && capabilities.streams !== "none";
  const keys = capabilities.anyKey ? [...plainKeys, ...anyKeys] : plainKeys;
  const key = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...keys.slice(0, 6)) }, { weight: 1, arbitrary: fc.constantFrom(...keys) });
  const can = (name: "create" | "replace" | "delete" | "stream"): boolean => capabilities.conditions.includes(name);

  const versions: readonly Condition[] = ["current", "current", "stale", "unknown"];
  const putConditions: readonly Condition[] = [
    ...(can("create") ? (["absent", "absent"] as const) : []),
    ...(can("replace") ? versions : []),
  ];
  // Under faults the clock is moved so that what waits goes on, and nothing may expire by that.
  const expiry = capabilities.ttl !== false && !faults && { ttl: fc.constantFrom<(number | "past")[]>(1, 100, 100, 5000, "past") };
  const content = {
    step: fc.constant("put" as const),
    key,
    value: fc.nat(values - 1),
    ...expiry,
    ...(capabilities.metadata && { metadata: metadataArbitrary }),
  };
  const putCondition = putConditions.length > 0 && { condition: fc.constantFrom(...putConditions) };
  const put = recordOf<PutStep>({ ...content, ...putCondition }, ["step", "key", "value"]);
  const plainPut = recordOf<PutStep>(content, ["step", "key", "value"]);
  const write = recordOf<PutStep>(
    { ...content, source: fc.constantFrom("blob", "stream", "iterable", "function"), ...(can("stream") && putCondition) },
    ["step", "key", "value", "source"],
  );
  const plainDelete = recordOf<DeleteStep>({ step: fc.constant("delete"), key }, ["step", "key"]);
  const anyDelete = can("delete")
    ? recordOf<DeleteStep>({ step: fc.constant("delete"), key, condition: fc.constantFrom(...versions) }, ["step", "key"])
    : plainDelete;

  const steps: fc.WeightedArbitrary<Step>[] = [
    { weight: 8, arbitrary: put },
    { weight: 3, arbitrary: anyDelete },
    { weight: 6, arbitrary: recordOf<Step>({ step: fc.constant("look"), by: fc.constantFrom("get", "getEntry", "head", "has"), key }) },
    { weight: 1, arbitrary: recordOf<Step>({ step: fc.constant("getEntries"), keys: fc.array(key, { maxLength: 5 }) }) },
    { weight: 2, arbitrary: batchOf(plainPut, plainDelete, can("create"), capabilities.atomicBatch) },
    { weight: 1, arbitrary: recordOf<Step>({ step: fc.constant("flush") }) },
  ];
  if (bytes) {
    steps.push({ weight: 4, arbitrary: write });
    steps.push({ weight: 3, arbitrary: readOf(key) });
    steps.push({ weight: 1, arbitrary: recordOf<Step>({ step: fc.constant("copy"), from: key, to: key }) });
  }
  if (capabilities.list !== "none") {
    steps.push({ weight: 3, arbitrary: listOf(keys, key, capabilities.list === "ordered", fc.oneof(plainPut, plainDelete)) });
    const prefix = prefixOf(keys);
    steps.push({ weight: 1, arbitrary: recordOf<Step>({ step: fc.constant("clear"), prefix }, ["step"]) });
  }
  if (expiry !== false) {
    steps.push({ weight: 2, arbitrary: recordOf<Step>({ step: fc.constant("advance"), duration: fc.constantFrom(1, 99, 100, 5000) }) });
  }
  if (capabilities.durability !== "memory" || capabilities.shared) {
    steps.push({ weight: 1, arbitrary: recordOf<Step>({ step: fc.constant("reopen") }) });
  }
  return fc.array(fc.oneof(...steps), { minLength: 1, maxLength, size: "max" });
}

const metadataArbitrary: fc.Arbitrary<Metadata> = fc.constantFrom<Metadata[]>(
  {},
  { "content-type": "text/plain" },
  { note: "", "x-two": "Grüße, 世界" },
);

const prefixOf = (keys: readonly string[]): fc.Arbitrary<string> => fc.constantFrom("", "a", "d", "d/", "d/e/", "none", ...keys.slice(-2));

function readOf(key: fc.Arbitrary<string>): fc.Arbitrary<Step> {
  const offset = fc.oneof(fc.integer({ min: -10, max: 10 }), fc.integer({ min: -80_000, max: 80_000 }));
  const condition = fc.constantFrom<Condition[]>("current", "stale");
  return recordOf<Step>({ step: fc.constant("read"), key, start: offset, end: offset, cancelAfter: fc.nat(100), condition }, [
    "step",
    "key",
  ]);
}

function listOf(
  keys: readonly string[],
  key: fc.Arbitrary<string>,
  ordered: boolean,
  change: fc.Arbitrary<PutStep | DeleteStep>,
): fc.Arbitrary<Step> {
  const common = {
    step: fc.constant("list"),
    prefix: prefixOf(keys),
    limit: fc.integer({ min: 1, max: 4 }),
    info: fc.boolean(),
    meanwhile: fc.array(change, { maxLength: 3 }),
  };
  const more = ordered && { delimiter: fc.constantFrom("/", "-", "e/"), startAfter: fc.oneof(key, fc.constantFrom("c", "d/", "d/e/zz")) };
  return recordOf<Step>({ ...common, ...more }, ["step"]);
}

/** Conditions only where the batch is atomic, and then on different keys, so that it does not matter when they are decided. */
function batchOf(put: fc.Arbitrary<PutStep>, remove: fc.Arbitrary<DeleteStep>, conditions: boolean, atomic: boolean): fc.Arbitrary<Step> {
  const operation = fc.oneof({ weight: 2, arbitrary: put }, { weight: 1, arbitrary: remove });
  const plain = recordOf<Step>({ step: fc.constant("batch"), operations: fc.array(operation, { maxLength: 6 }) });
  if (!atomic) return plain;
  const creating = put.map((step): PutStep => ({ ...step, condition: "absent" }));
  const conditional = conditions ? fc.oneof({ weight: 3, arbitrary: operation }, { weight: 1, arbitrary: creating }) : operation;
  const distinct = fc.uniqueArray(conditional, { selector: ({ key }) => key, maxLength: 6 });
  const whole = recordOf<Step>({ step: fc.constant("batch"), atomic: fc.constant(true), operations: distinct });
  return fc.oneof(plain, whole);
}

/** A record of which all that is not required may be left out; everything is required unless told otherwise. */
function recordOf<T>(
  model: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  required: readonly string[] = Object.keys(model),
): fc.Arbitrary<T> {
  return fc.record(model, { requiredKeys: [...required] as never[], noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}
