import type { Clock } from "../contract/clock.ts";
import type { Bytes, ByteStorage, Details, OperationName } from "../contract/contract.ts";
import { headerOf, missingLayer } from "../contract/format.ts";
import { StorageError } from "../contract/storage-error.ts";
import { checkOptions } from "../plugin/check-options.ts";
import type { Codec } from "../shapes/layer.ts";
import { checkHoldsBytes } from "../shapes/holds-bytes.ts";
import { MappedStorage } from "../shapes/mapped-storage.ts";
import { whyNotJson } from "./not-json.ts";
import type { SchemaInput, SchemaOutput, SchemaResult, StandardSchema } from "./standard-schema.ts";
import { describeIssues } from "./standard-schema.ts";

export interface CodecOptions {
  /** For `ttl`. @default that of the storage below */
  readonly clock?: Clock | undefined;
}

/** The schema itself where what it gives can be put back, else a sentence that says why not. */
type Reversible<S extends StandardSchema> =
  SchemaOutput<S> extends SchemaInput<S>
    ? unknown
    : "this schema changes the type of what it checks, so that its values could not be written back";

/**
 * Keeps values as JSON in UTF-8.
 *
 * With a schema, values are checked when they are written (`invalid-value`) and when they are read (`corrupt`), in the
 * form that JSON gives them: what a `put` accepts, a `get` can give back. A read gives what the schema makes of the value.
 *
 * What JSON cannot hold is `invalid-value`, never changed in silence: `undefined`, NaN, infinities, BigInt, circles, Map,
 * Set and bytes. Properties that are `undefined` or functions are left out, and a Date becomes text, as `JSON.stringify` does.
 *
 * ```ts
 * const users = stack(memoryStorage(), json<User>());
 * const posts = stack(memoryStorage(), json(z.object({ title: z.string() })));
 * ```
 */
export function json(schema?: undefined, options?: CodecOptions): Codec<unknown>;
export function json<V = never>(schema: StandardSchema<unknown, NoInfer<V>>, options?: CodecOptions): Codec<V>;
export function json<V>(schema?: undefined, options?: CodecOptions): Codec<V>;
export function json<S extends StandardSchema>(schema: S & Reversible<S>, options?: CodecOptions): Codec<SchemaOutput<S>>;
export function json(schema?: StandardSchema, options?: CodecOptions): Codec<unknown> {
  return (inner) => new JsonStorage(inner, schema, options);
}

/** What `json()` makes. */
export class JsonStorage<V> extends MappedStorage<V> {
  readonly name = "json";
  readonly #schema: StandardSchema<unknown, V> | undefined;

  constructor(inner: ByteStorage, schema?: StandardSchema<unknown, V>, options: CodecOptions = {}) {
    checkOptions({}, options, "json");
    super(inner, options.clock);
    checkHoldsBytes(inner, "json stands on bytes: one codec is enough, above all layers of bytes.");
    if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function") {
      throw new StorageError("invalid-option", "json takes a schema that follows Standard Schema, version 1.", { storage: "json" });
    }
    this.#schema = schema;
  }

  protected override encode(value: V, key: string, operation: OperationName): Bytes | Promise<Bytes> {
    const place: Place = { storage: this.name, key, operation };
    const text = stringify(value, place);
    if (this.#schema === undefined) return encoder.encode(text);
    const result = validate(this.#schema, JSON.parse(text), place);
    return result instanceof Promise ? result.then((settled) => accept(settled, text, place)) : accept(result, text, place);
  }

  protected override decode(bytes: Bytes, key: string, operation: OperationName): V | Promise<V> {
    const place: Place = { storage: this.name, key, operation };
    const value: unknown = parse(bytes, place);
    if (this.#schema === undefined) return value as V;
    const result = validate(this.#schema, value, place);
    return result instanceof Promise ? result.then((settled) => give(settled, place)) : give(result, place);
  }

  override details(): Details {
    const schema = this.#schema?.["~standard"].vendor;
    return { options: schema === undefined ? {} : { schema }, stats: {} };
  }
}

/** A value as `json()` gives it back. Throws `invalid-value` for what JSON cannot hold. */
export function jsonForm(value: unknown, place: Place): unknown {
  return JSON.parse(stringify(value, place));
}

/** Where a value goes or comes from, for errors. */
interface Place {
  readonly storage: string;
  readonly key: string;
  readonly operation: OperationName;
}

function stringify(value: unknown, place: Place): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  const problem = text === undefined || isSuspicious(text) ? whyNotJson(value) : undefined;
  if (text !== undefined && problem === undefined) return text;
  throw new StorageError("invalid-value", `JSON cannot hold this value: ${problem ?? "it has no JSON form"}.`, { ...place, cause });
}

function parse(bytes: Bytes, place: Place): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    // The cause is left out: it quotes the value.
    const header = headerOf(bytes);
    if (header !== undefined) throw missingLayer(header, place);
    throw new StorageError("corrupt", `The ${bytes.byteLength} bytes that are stored are not JSON in UTF-8.`, place);
  }
}

function validate<V>(schema: StandardSchema<unknown, V>, value: unknown, place: Place): SchemaResult<V> | Promise<SchemaResult<V>> {
  const failed = (cause: unknown): never => {
    throw new StorageError("internal", "The schema failed instead of checking the value.", { ...place, cause });
  };
  try {
    const result = schema["~standard"].validate(value);
    return result instanceof Promise ? result.catch(failed) : result;
  } catch (error) {
    return failed(error);
  }
}

function accept({ issues }: SchemaResult<unknown>, text: string, place: Place): Bytes {
  if (issues === undefined) return encoder.encode(text);
  throw new StorageError("invalid-value", `The value, as JSON keeps it, does not fit the schema: ${describeIssues(issues)}.`, place);
}

function give<V>(result: SchemaResult<V>, place: Place): V {
  if (result.issues === undefined) return result.value;
  throw new StorageError("corrupt", `The value that is stored does not fit the schema: ${describeIssues(result.issues)}.`, place);
}

/** Whether a value may hide in the text that JSON changed in silence: NaN becomes null, a Map {}, and bytes {"0":1} or what `Buffer` says. */
const isSuspicious = (text: string): boolean =>
  text.includes("null") || text.includes("{}") || text.includes('{"0":') || text.includes('{"type":"Buffer"');

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
