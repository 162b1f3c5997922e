import assert from "node:assert/strict";
import type { Bytes, ByteStorage, Entry, EntryInfo, ListOptions, Operation, Page, PutOptions, Storage } from "@stowage/core";
import { compareKeys, isByteStorage, resolveRange } from "@stowage/core";
import { describe, equal } from "../contract/assertions.ts";
import type { ContractContext } from "../contract/promise.ts";
import { copyOf, damage } from "../contract/samples.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { Calls } from "./calls.ts";
import { comparePages, Comparison } from "./comparison.ts";
import type { Change, Model, ModelEntry } from "./model.ts";
import { apply, expiredKeys, listOf, liveKeys, lookUp } from "./model.ts";
import { mayHaveHappened, possibleAfter } from "./outcomes.ts";
import type { BatchStep, Condition, DeleteStep, ListStep, PutStep, ReadStep, Step } from "./steps.ts";
import { collect, sourceOf } from "./streams.ts";

/** An etag that no storage gives. */
const neverWas = "an etag that never was";

/** The option for a condition, and whether it holds. */
interface Wanted {
  readonly options: { readonly ifMatch?: string; readonly ifNoneMatch?: "*" };
  readonly holds: boolean;
}

/**
 * Takes the same steps on a storage and on a model, and fails at the first difference.
 *
 * Where a `faulty` layer is in the stack, calls may fail: what is stored then is looked up while the faults rest, and
 * must be what the contract allows: old or new where the outcome is unknown, else old.
 */
export class ModelRun {
  readonly #context: ContractContext;
  readonly #samples: readonly unknown[];
  readonly #model: Model = new Map();
  readonly #compare: Comparison;
  readonly #calls: Calls;
  #storage: Storage<unknown>;

  constructor(context: ContractContext, clock: VirtualClock, samples: readonly unknown[]) {
    this.#context = context;
    this.#samples = samples;
    this.#compare = new Comparison(samples);
    this.#calls = new Calls(context.storage, clock, context.patience);
    this.#storage = context.storage;
  }

  /** Takes all steps, then compares all that is stored. */
  async take(steps: readonly Step[]): Promise<void> {
    for (const [index, step] of steps.entries()) {
      await this.#step(step).catch(explain(`Step ${index + 1} of ${steps.length}, ${JSON.stringify(step)}`));
    }
    this.#calls.rest();
    await this.#audit().catch(explain(`After all ${steps.length} steps`));
  }

  async #step(step: Step): Promise<void> {
    switch (step.step) {
      case "put":
        return await this.#put(step);
      case "delete":
        return await this.#delete(step);
      case "look":
        return await this.#look(step.by, step.key);
      case "getEntries":
        return await this.#getEntries(step.keys);
      case "read":
        return await this.#read(step);
      case "list":
        return await this.#list(step);
      case "batch":
        return await this.#batch(step);
      case "clear":
        return await this.#clear(step.prefix);
      case "copy":
        return await this.#copy(step.from, step.to);
      case "advance":
        return await this.#context.advance(step.duration);
      case "flush":
        return void (await this.#calls.make(() => this.#storage.flush()));
      case "reopen":
        return await this.#reopen();
    }
  }

  async #put(step: PutStep): Promise<void> {
    const { key, value } = step;
    const wanted = await this.#want(key, step.condition);
    if (wanted === undefined) return;
    const options = { ...this.#putOptions(step), ...wanted.options };
    const sample = copyOf(this.#samples[value]);
    const info = await this.#change(
      () =>
        step.source === undefined
          ? this.#storage.put(key, sample, options)
          : this.#bytes.write(key, sourceOf(sample as Bytes, step.source), options),
      [{ key, after: this.#entryOf(step) }],
      wanted.holds,
    );
    damage(sample); // what a caller does with a value after the call settled is its own business
    if (info === undefined) return;
    equal(info.key, key, "The key that put gives");
    this.#compare.remember(info, value);
  }

  async #delete({ key, condition }: DeleteStep): Promise<void> {
    const wanted = await this.#want(key, condition);
    if (wanted === undefined) return;
    await this.#change(() => this.#storage.delete(key, wanted.options), [{ key, after: undefined }], wanted.holds);
  }

  async #look(by: "get" | "getEntry" | "head" | "has", key: string): Promise<void> {
    const answer = await this.#calls.make((): Promise<unknown> => this.#storage[by](key));
    if (answer.how !== "answered") return;
    const expected = this.#lookUp(key);
    if (by === "has") return equal(answer.value, expected !== undefined, "has");
    if (by === "getEntry") return this.#compare.entry(answer.value as Entry<unknown> | undefined, key, expected);
    if (!this.#compare.presence(by, answer.value, expected) || expected === undefined) return;
    if (by === "get") this.#compare.value(answer.value, expected);
    else this.#compare.info(answer.value as EntryInfo, key, expected);
  }

  async #getEntries(keys: readonly string[]): Promise<void> {
    const answer = await this.#calls.make(() => this.#storage.getEntries(keys));
    if (answer.how !== "answered") return;
    equal(answer.value.length, keys.length, "The number of answers");
    for (const [index, key] of keys.entries()) this.#compare.entry(answer.value[index], key, this.#lookUp(key));
  }

  async #read({ key, start, end, cancelAfter, condition }: ReadStep): Promise<void> {
    const wanted = await this.#want(key, condition);
    if (wanted === undefined) return;
    const answer = await this.#calls.make(async () => {
      const entry = await this.#bytes.read(key, { start, end, ...wanted.options });
      return entry && { ...entry, value: await collect(entry.value, cancelAfter) };
    }, wanted.holds);
    if (answer.how !== "answered") return;
    const expected = this.#lookUp(key);
    if (!this.#compare.presence("read", answer.value, expected) || expected === undefined) return;
    const { value: got, ...info } = answer.value;
    this.#compare.info(info, key, expected);
    const whole = this.#samples[expected.value] as Bytes;
    const range = resolveRange(whole.byteLength, start, end);
    const part = whole.slice(range.start, range.end);
    const isCut = cancelAfter !== undefined && got.byteLength >= cancelAfter;
    equal(got, isCut ? part.slice(0, got.byteLength) : part, "What read gives");
  }

  async #list({ meanwhile = [], ...step }: ListStep): Promise<void> {
    const { prefix, delimiter, startAfter, limit, info } = step;
    const before = liveKeys(this.#model, this.#now);
    const pages: Page[] = [];
    let options: ListOptions | undefined = { prefix, delimiter, startAfter, limit, info };
    while (options !== undefined) {
      const answer = await this.#calls.make(() => this.#storage.list(options));
      if (answer.how !== "answered") return;
      const page = answer.value;
      pages.push(page);
      assert.ok(page.entries.length + page.prefixes.length <= (limit ?? 1000), "A page is longer than its limit.");
      assert.ok(pages.length < 1000, "The pages never end.");
      if (pages.length === 1) for (const change of meanwhile) await this.#step(change);
      options = page.cursor === undefined ? undefined : { prefix, delimiter, limit, info, cursor: page.cursor };
    }
    const touched = new Set(meanwhile.map(({ key }) => key));
    const lasting = before.filter((key) => !touched.has(key));
    const { list, ttl } = this.#storage.capabilities;
    const stale = ttl === "lazy" && info !== true ? expiredKeys(this.#model, this.#now) : [];
    const possible = Array.from(new Set([...lasting, ...touched, ...stale])).sort(compareKeys);
    comparePages(pages, listOf(lasting, prefix, delimiter, startAfter), listOf(possible, prefix, delimiter, startAfter), list);
    if (info === true) this.#compareInfos(pages, touched);
  }

  #compareInfos(pages: readonly Page[], touched: ReadonlySet<string>): void {
    for (const entry of pages.flatMap((page) => page.entries)) {
      const expected = this.#lookUp(entry.key);
      if (expected === undefined || touched.has(entry.key)) continue;
      // A list gives metadata where it is known without another look.
      this.#compare.info({ ...entry, metadata: entry.metadata ?? { ...expected.metadata } }, entry.key, expected);
    }
  }

  async #batch({ operations: steps, atomic = false }: BatchStep): Promise<void> {
    const holds = steps.every(({ key, condition }) => condition === undefined || this.#lookUp(key) === undefined);
    const operations = steps.map((step): Operation<unknown> => {
      if (step.step === "delete") return { type: "delete", key: step.key };
      const options = { ...this.#putOptions(step), ...(step.condition !== undefined && { ifNoneMatch: "*" as const }) };
      return { type: "put", key: step.key, value: copyOf(this.#samples[step.value]), options };
    });
    const changes = steps.map((step): Change => ({ key: step.key, after: step.step === "put" ? this.#entryOf(step) : undefined }));
    await this.#change(() => this.#storage.batch(operations, { atomic }), changes, holds, atomic);
    for (const operation of operations) if (operation.type === "put") damage(operation.value);
  }

  async #clear(prefix = ""): Promise<void> {
    const changes = Array.from(this.#model.keys(), (key): Change => ({ key, after: undefined }));
    await this.#change(
      () => this.#storage.clear({ prefix }),
      changes.filter(({ key }) => key.startsWith(prefix)),
    );
  }

  async #copy(from: string, to: string): Promise<void> {
    const answer = await this.#calls.make(() => this.#bytes.read(from));
    if (answer.how !== "answered") return;
    const expected = this.#lookUp(from);
    if (!this.#compare.presence("read", answer.value, expected) || expected === undefined) return;
    const source = answer.value.value;
    const after = { value: expected.value, metadata: undefined, expiresAt: undefined };
    const info = await this.#change(() => this.#bytes.write(to, source), [{ key: to, after }]);
    if (info !== undefined) this.#compare.remember(info, expected.value);
  }

  async #reopen(): Promise<void> {
    await this.#storage.close();
    this.#storage = await this.#context.reopen();
  }

  /** Compares all that is stored with the model, key by key and as a list. */
  async #audit(): Promise<void> {
    for (const key of new Set([...this.#model.keys(), ...this.#compare.keys])) await this.#look("getEntry", key);
    if (this.#storage.capabilities.list !== "none") await this.#list({ step: "list", info: true });
  }

  /** Makes a call that changes something, and changes the model alike. Gives its answer, if there is one. */
  async #change<T>(start: () => Promise<T>, changes: readonly Change[], holds = true, atomic = false): Promise<T | undefined> {
    const ending = await this.#calls.make(start, holds);
    if (ending.how === "answered") {
      for (const change of changes) apply(this.#model, change, this.#now);
      return ending.value;
    }
    if (ending.how === "failed") {
      const effective = holds ? changes : changes.map(({ key }) => ({ key, after: this.#lookUp(key) }));
      if (atomic) await this.#settleAtOnce(ending.reason, effective);
      else await this.#settle(ending.reason, effective);
    }
    return undefined;
  }

  /** Finds out what became of each key after a call failed, and takes it over where the contract allows it. */
  async #settle(reason: unknown, changes: readonly Change[]): Promise<void> {
    for (const key of new Set(changes.map((change) => change.key))) {
      const observed = await this.#calls.observe(this.#storage, key);
      const possible = possibleAfter(reason, key, this.#lookUp(key), changes);
      const found = possible.findIndex((entry) => this.#compare.isSame(observed, entry));
      const allowed = possible.map((entry) => this.#compare.show(entry)).join(" or ");
      assert.ok(found !== -1, `After ${describe(reason)}, ${JSON.stringify(key)} must be ${allowed}, and is ${describe(observed)}.`);
      apply(this.#model, { key, after: possible[found] }, this.#now);
    }
  }

  /** The same for an atomic batch: all of it is there, or nothing of it. */
  async #settleAtOnce(reason: unknown, changes: readonly Change[]): Promise<void> {
    const after: Model = new Map(this.#model);
    for (const change of changes) apply(after, change, this.#now);
    let [untouched, done] = [true, mayHaveHappened(reason)];
    for (const { key } of changes) {
      const observed = await this.#calls.observe(this.#storage, key);
      untouched &&= this.#compare.isSame(observed, this.#lookUp(key));
      done &&= this.#compare.isSame(observed, lookUp(after, key, this.#now));
    }
    assert.ok(untouched || done, `After ${describe(reason)}, an atomic batch is neither undone nor done.`);
    if (!untouched) for (const change of changes) apply(this.#model, change, this.#now);
  }

  /** What a condition asks for; `undefined` where a fault kept the version from being looked up. */
  async #want(key: string, condition: Condition | undefined): Promise<Wanted | undefined> {
    const current = this.#lookUp(key);
    if (condition === undefined) return { options: {}, holds: true };
    if (condition === "absent") return { options: { ifNoneMatch: "*" }, holds: current === undefined };
    if (condition === "stale") return { options: { ifMatch: this.#compare.staleEtag(key, current) ?? neverWas }, holds: false };
    if (condition === "unknown" || current === undefined) return { options: { ifMatch: neverWas }, holds: false };
    const answer = await this.#calls.make(() => this.#storage.head(key));
    if (answer.how !== "answered") return undefined;
    const conditional = this.#storage.capabilities.conditions.includes("replace");
    if (!conditional && answer.value !== undefined && answer.value.etag === undefined)
      return { options: { ifMatch: neverWas }, holds: false };
    assert.ok(answer.value?.etag !== undefined, "A storage with conditions on versions gives etags.");
    return { options: { ifMatch: answer.value.etag }, holds: true };
  }

  #putOptions({ ttl, metadata }: PutStep): PutOptions {
    return ttl === "past" ? { expiresAt: this.#now - 1, metadata } : { ttl, metadata };
  }

  #entryOf(step: PutStep): ModelEntry {
    const { ttl, expiresAt, metadata } = this.#putOptions(step);
    return { value: step.value, metadata, expiresAt: ttl === undefined ? expiresAt : this.#now + ttl };
  }

  #lookUp(key: string): ModelEntry | undefined {
    return lookUp(this.#model, key, this.#now);
  }

  get #now(): number {
    return this.#context.now();
  }

  get #bytes(): ByteStorage {
    assert.ok(isByteStorage(this.#storage), "Streams need a storage of bytes.");
    return this.#storage;
  }
}

/** Says where an error came from, and keeps it as the cause. */
function explain(where: string): (error: unknown) => never {
  return (error) => {
    throw new Error(`${where}: ${describe(error)}`, { cause: error });
  };
}
