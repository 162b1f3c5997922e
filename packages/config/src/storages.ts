import type { AnyStorage, ByteStorage, Clock, Plugin, StandardSchema, Storage } from "@stowage/core";
import { explain, isByteStorage, StorageError } from "@stowage/core";
import { lint } from "./lint/lint.ts";
import { unknownStorage } from "./plan.ts";
import { quote } from "./problems.ts";
import { CheckedStorage } from "./checked-storage.ts";

/** The storages of a file. */
export interface Storages extends AsyncDisposable {
  /** Their names, in the order of the file. */
  readonly names: readonly string[];
  /**
   * A storage of values by its name. With a schema (any that follows Standard Schema), values are checked as they pass: a
   * `put` that does not fit is `invalid-value`, and a stored value that does not is `corrupt`.
   *
   * @throws StorageError `config` where there is no such storage, or where it holds bytes
   */
  get<V>(name: string, schema?: StandardSchema<unknown, V>): Storage<V>;
  /**
   * A storage of bytes by its name.
   *
   * @throws StorageError `config` where there is no such storage, or where it holds values
   */
  bytes(name: string): ByteStorage;
  /** The stacks in text, with what one should know of them: all, or the one with this name. */
  explain(name?: string): string;
  /**
   * Closes every storage once, those that use others before those others. Tries all, then rejects with the first error.
   * Calling it again is harmless.
   */
  close(): Promise<void>;
}

export interface LoadedParts {
  readonly names: readonly string[];
  readonly named: ReadonlyMap<string, AnyStorage>;
  /** What is to be closed, in the order of making. */
  readonly owned: readonly AnyStorage[];
  /** What is known of their layers. */
  readonly plugins: readonly Plugin[];
  readonly clock: Clock;
}

/** What `loadStorages` gives. */
export class LoadedStorages implements Storages {
  readonly names: readonly string[];
  readonly #named: ReadonlyMap<string, AnyStorage>;
  readonly #owned: readonly AnyStorage[];
  readonly #plugins: readonly Plugin[];
  readonly #clock: Clock;
  readonly #checked = new WeakMap<StandardSchema, Map<string, AnyStorage>>();
  #closing: Promise<void> | undefined;

  constructor({ names, named, owned, plugins, clock }: LoadedParts) {
    this.names = names;
    this.#named = named;
    this.#owned = owned;
    this.#plugins = plugins;
    this.#clock = clock;
  }

  get<V>(name: string, schema?: StandardSchema<unknown, V>): Storage<V> {
    const storage = this.#find(name);
    if (isByteStorage(storage)) {
      throw new StorageError(
        "config",
        `The storage ${quote(name)} holds bytes: take it with bytes(${quote(name)}), or add a codec such as json to its layers.`,
      );
    }
    if (schema === undefined) return storage;
    const known = this.#checked.get(schema) ?? new Map<string, AnyStorage>();
    this.#checked.set(schema, known);
    const checked = known.get(name) ?? new CheckedStorage<V>(storage, schema, this.#clock);
    known.set(name, checked);
    return checked;
  }

  bytes(name: string): ByteStorage {
    const storage = this.#find(name);
    if (isByteStorage(storage)) return storage;
    throw new StorageError("config", `The storage ${quote(name)} holds values: take it with get(${quote(name)}).`);
  }

  explain(name?: string): string {
    if (name !== undefined) return this.#explain(name);
    return this.names.map((each) => `${each}\n${indented(this.#explain(each))}`).join("\n\n");
  }

  close(): Promise<void> {
    return (this.#closing ??= closeAll(this.#owned));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #explain(name: string): string {
    const storage = this.#find(name);
    const notes = lint(storage, { plugins: this.#plugins }).filter(({ severity }) => severity === "note");
    return [explain(storage), ...notes.map(({ message }) => `note: ${message}`)].join("\n\n");
  }

  #find(name: string): AnyStorage {
    const storage = this.#named.get(name);
    if (storage === undefined) throw new StorageError("config", `In the storage file, ${unknownStorage(name, this.names)}`);
    return storage;
  }
}

/** Closes in reverse order, one after the other; tries all, then throws the first error. */
export async function closeAll(storages: readonly AnyStorage[]): Promise<void> {
  const errors: unknown[] = [];
  for (const storage of storages.toReversed()) {
    try {
      await storage.close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

const indented = (text: string): string => text.replaceAll(/^(?=.)/gm, "  ");
