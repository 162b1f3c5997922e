import type { AnyStorage, Clock, SchemaResult, StandardSchema } from "@stowage/core";
import { describeIssues, MappedStorage, StorageError } from "@stowage/core";

/** Checks values by a schema as they pass, above whatever the file put in the stack. */
export class CheckedStorage<V> extends MappedStorage<V, unknown> {
  readonly name = "checked";
  readonly #schema: StandardSchema<unknown, V>;

  constructor(inner: AnyStorage, schema: StandardSchema<unknown, V>, clock: Clock) {
    super(inner, clock);
    if (typeof schema?.["~standard"]?.validate !== "function") {
      throw new StorageError("invalid-option", "get takes a schema that follows Standard Schema, version 1.");
    }
    this.#schema = schema;
  }

  /** The value itself is written: what the schema makes of it is for the reader. */
  protected override encode(value: V, key: string): unknown {
    const accept = (result: SchemaResult<V>): unknown => {
      if (result.issues === undefined) return value;
      throw this.#misfit("invalid-value", "The value", result, key);
    };
    const result = this.#validate(value, key);
    return result instanceof Promise ? result.then(accept) : accept(result);
  }

  protected override decode(value: unknown, key: string): V | Promise<V> {
    const give = (result: SchemaResult<V>): V => {
      if (result.issues === undefined) return result.value;
      throw this.#misfit("corrupt", "The value that is stored", result, key);
    };
    const result = this.#validate(value, key);
    return result instanceof Promise ? result.then(give) : give(result);
  }

  #validate(value: unknown, key: string): SchemaResult<V> | Promise<SchemaResult<V>> {
    const failed = (cause: unknown): never => {
      throw new StorageError("internal", "The schema failed instead of checking the value.", { storage: this.name, key, cause });
    };
    try {
      const result = this.#schema["~standard"].validate(value);
      return result instanceof Promise ? result.catch(failed) : result;
    } catch (error) {
      return failed(error);
    }
  }

  #misfit(code: "invalid-value" | "corrupt", what: string, { issues = [] }: SchemaResult<V>, key: string): StorageError {
    return new StorageError(code, `${what} does not fit the schema: ${describeIssues(issues)}.`, { storage: this.name, key });
  }
}
