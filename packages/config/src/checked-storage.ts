import type { AnyStorage, Clock, OperationName, SchemaResult, StandardSchema } from "@stowage/core";
import { describeIssues, findLayer, jsonForm, JsonStorage, MappedStorage, StorageError } from "@stowage/core";

/**
 * Checks values by a schema as they pass, above whatever the file put in the stack. On JSON it checks, and puts, the form
 * that a read will see, as `json(schema)` does: what a `put` accepts, a `get` can give back.
 */
export class CheckedStorage<V> extends MappedStorage<V, unknown> {
  readonly name = "checked";
  readonly #schema: StandardSchema<unknown, V>;
  readonly #onJson: boolean;

  constructor(inner: AnyStorage, schema: StandardSchema<unknown, V>, clock: Clock) {
    super(inner, clock);
    if (typeof schema?.["~standard"]?.validate !== "function") {
      throw new StorageError("invalid-option", "get takes a schema that follows Standard Schema, version 1.");
    }
    this.#schema = schema;
    this.#onJson = findLayer(inner, JsonStorage) !== undefined;
  }

  /** The value itself is put, not what the schema makes of it: that is for the reader. */
  protected override encode(value: V, key: string, operation: OperationName): unknown {
    const place: Place = { storage: this.name, key, operation };
    const kept = this.#onJson ? jsonForm(value, place) : value;
    const accept = (result: SchemaResult<V>): unknown => {
      if (result.issues === undefined) return kept;
      throw misfit("invalid-value", "The value", result.issues, place);
    };
    const result = this.#validate(kept, place);
    return result instanceof Promise ? result.then(accept) : accept(result);
  }

  protected override decode(value: unknown, key: string, operation: OperationName): V | Promise<V> {
    const place: Place = { storage: this.name, key, operation };
    const give = (result: SchemaResult<V>): V => {
      if (result.issues === undefined) return result.value;
      throw misfit("corrupt", "The value that is stored", result.issues, place);
    };
    const result = this.#validate(value, place);
    return result instanceof Promise ? result.then(give) : give(result);
  }

  #validate(value: unknown, place: Place): SchemaResult<V> | Promise<SchemaResult<V>> {
    const failed = (cause: unknown): never => {
      throw new StorageError("internal", "The schema failed instead of checking the value.", { ...place, cause });
    };
    try {
      const result = this.#schema["~standard"].validate(value);
      return result instanceof Promise ? result.catch(failed) : result;
    } catch (error) {
      return failed(error);
    }
  }
}

interface Place {
  readonly storage: string;
  readonly key: string;
  readonly operation: OperationName;
}

type Issues = NonNullable<SchemaResult<unknown>["issues"]>;

function misfit(code: "invalid-value" | "corrupt", what: string, issues: Issues, place: Place): StorageError {
  return new StorageError(code, `${what} does not fit the schema: ${describeIssues(issues)}.`, place);
}
