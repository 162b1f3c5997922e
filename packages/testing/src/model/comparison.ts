import assert from "node:assert/strict";
import type { Capabilities, Entry, EntryInfo, Page } from "@stowage/core";
import { compareKeys } from "@stowage/core";
import { describe, equal } from "../contract/assertions.ts";
import { damage } from "../contract/samples.ts";
import { isEqual } from "../equal.ts";
import type { ModelEntry, ModelList } from "./model.ts";

/** Compares what a storage gives with what the model says, and remembers the etags that it saw. */
export class Comparison {
  readonly #samples: readonly unknown[];
  /** Etags of each key, with the number of the sample that they stood for. */
  readonly #etags = new Map<string, Map<string, number>>();

  constructor(samples: readonly unknown[]) {
    this.#samples = samples;
  }

  /** Every key that ever had an etag. */
  get keys(): readonly string[] {
    return Array.from(this.#etags.keys());
  }

  /** An etag of another version than the current one. */
  staleEtag(key: string, current: ModelEntry | undefined): string | undefined {
    return Array.from(this.#etags.get(key) ?? []).find(([, value]) => value !== current?.value)?.[0];
  }

  remember({ key, etag }: EntryInfo, value: number): void {
    if (etag === undefined) return;
    const known = this.#etags.get(key) ?? new Map<string, number>();
    this.#etags.set(key, known);
    const other = known.get(etag) ?? value;
    assert.ok(other === value, `Sample ${other} and sample ${value} share an etag.`);
    known.set(etag, value);
  }

  /** Both missing, or neither. Gives whether both are there. */
  presence<T>(what: string, got: T | undefined, expected: ModelEntry | undefined): got is T {
    assert.ok((got === undefined) === (expected === undefined), `${what} is ${describe(got)}, in the model ${this.show(expected)}.`);
    return got !== undefined;
  }

  entry(got: Entry<unknown> | undefined, key: string, expected: ModelEntry | undefined): void {
    if (!this.presence(JSON.stringify(key), got, expected) || expected === undefined) return;
    const { value, ...info } = got;
    this.info(info, key, expected);
    this.value(value, expected);
  }

  info(info: EntryInfo, key: string, expected: ModelEntry): void {
    equal(info.key, key, "The key");
    equal({ ...info.metadata }, { ...expected.metadata }, "The metadata");
    if (info.expiresAt !== undefined || expected.expiresAt === undefined) equal(info.expiresAt, expected.expiresAt, "The expiry");
    const sample = this.#samples[expected.value];
    if (info.size !== undefined && sample instanceof Uint8Array) equal(info.size, sample.byteLength, "The size");
    this.remember(info, expected.value);
  }

  /** What comes out belongs to the caller, who may damage it. */
  value(value: unknown, expected: ModelEntry): void {
    equal(value, this.#samples[expected.value], "The value");
    damage(value);
  }

  isSame(entry: Entry<unknown> | undefined, expected: ModelEntry | undefined): boolean {
    if (entry === undefined || expected === undefined) return entry === expected;
    return isEqual(entry.value, this.#samples[expected.value]) && isEqual({ ...entry.metadata }, { ...expected.metadata });
  }

  show(entry: ModelEntry | undefined): string {
    return entry === undefined ? "missing" : `sample ${entry.value}, ${describe(this.#samples[entry.value])}`;
  }
}

/** Fails unless the pages give all that must be there and nothing that cannot; ordered ones in order, each once. */
export function comparePages(pages: readonly Page[], must: ModelList, may: ModelList, list: Capabilities["list"]): void {
  const keys = pages.flatMap((page) => page.entries.map(({ key }) => key));
  const prefixes = pages.flatMap((page) => page.prefixes);
  compareNames("keys", keys, must.keys, may.keys, list);
  compareNames("prefixes", prefixes, must.prefixes, may.prefixes, list);
}

function compareNames(
  what: string,
  got: readonly string[],
  must: readonly string[],
  may: readonly string[],
  list: Capabilities["list"],
): void {
  const missing = must.find((each) => !got.includes(each));
  assert.ok(missing === undefined, `The ${what} lack ${JSON.stringify(missing)}: ${JSON.stringify(got)}.`);
  const extra = got.find((each) => !may.includes(each));
  assert.ok(extra === undefined, `The ${what} have ${JSON.stringify(extra)}, which must not be there: ${JSON.stringify(got)}.`);
  if (list !== "ordered") return;
  const inOrder = Array.from(new Set(got)).sort(compareKeys);
  assert.deepEqual(got, inOrder, `The ${what} come out of order, or twice: ${JSON.stringify(got)}.`);
}
