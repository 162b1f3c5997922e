import type { AnyStorage, Bytes, ByteStorage } from "../contract/contract.ts";
import type {
  BooleanOption,
  ChoiceOption,
  DescribedOption,
  DurationOption,
  EitherOption,
  ListOption,
  NumberOption,
  ObjectOption,
  Option,
  Options,
  OptionsOf,
  PathOption,
  RecordOption,
  SecretOption,
  SizeOption,
  StorageOption,
  TextOption,
  Typed,
  ValueOf,
} from "./option-kinds.ts";

interface Settings {
  /** It must be given. @default false */
  readonly required?: boolean | undefined;
}

interface DefaultSettings<T> extends Settings {
  /** What holds where it is left out. */
  readonly default?: T | undefined;
}

interface RangeSettings extends DefaultSettings<number> {
  /** @default 0 */
  readonly min?: number | undefined;
  /** @default no limit */
  readonly max?: number | undefined;
}

interface TextSettings extends DefaultSettings<string> {
  readonly pattern?: TextOption["pattern"] | undefined;
}

interface ListSettings extends Settings {
  /** @default 0 */
  readonly minLength?: number | undefined;
  /** @default no limit */
  readonly maxLength?: number | undefined;
}

/**
 * Describes an option once: for the check of a YAML file, its JSON Schema and the reference page.
 *
 * ```ts
 * const options = { attempts: option.whole("How often a call is sent at the most.", { min: 1, default: 4 }) };
 * ```
 */
export const option = {
  duration<const S extends RangeSettings>(description: string, settings?: S): Typed<DurationOption, number, S> {
    return typed({ kind: "duration", ...described(description, settings), ...range(settings) });
  },

  size<const S extends RangeSettings>(description: string, settings?: S): Typed<SizeOption, number, S> {
    return typed({ kind: "size", ...described(description, settings), ...range(settings) });
  },

  /** Any finite number. */
  number<const S extends RangeSettings>(description: string, settings?: S): Typed<NumberOption, number, S> {
    return typed({ kind: "number", whole: false, ...described(description, settings), ...range(settings) });
  },

  /** A whole number. */
  whole<const S extends RangeSettings>(description: string, settings?: S): Typed<NumberOption, number, S> {
    return typed({ kind: "number", whole: true, ...described(description, settings), ...range(settings) });
  },

  boolean<const S extends DefaultSettings<boolean>>(description: string, settings?: S): Typed<BooleanOption, boolean, S> {
    return typed({ kind: "boolean", ...described(description, settings) });
  },

  text<const S extends TextSettings>(description: string, settings?: S): Typed<TextOption, string, S> {
    const pattern = settings?.pattern;
    return typed({ kind: "text", ...described(description, settings), ...(pattern === undefined ? {} : { pattern }) });
  },

  choice<const V extends string, const S extends DefaultSettings<V>>(
    description: string,
    values: readonly V[],
    settings?: S,
  ): Typed<ChoiceOption, V, S> {
    return typed({ kind: "choice", values, ...described(description, settings) });
  },

  path<const S extends DefaultSettings<string>>(description: string, settings?: S): Typed<PathOption, string, S> {
    return typed({ kind: "path", ...described(description, settings) });
  },

  /** A secret text: a password, a token. */
  secret<const S extends Settings>(description: string, settings?: S): Typed<SecretOption, string, S> {
    return typed({ kind: "secret", form: "text", ...described(description, settings) });
  },

  /** A secret key of exactly 32 bytes. */
  secretKey<const S extends Settings>(description: string, settings?: S): Typed<SecretOption, Bytes, S> {
    return typed({ kind: "secret", form: "key", ...described(description, settings) });
  },

  list<const I extends Option, const S extends ListSettings>(
    description: string,
    item: I,
    settings?: S,
  ): Typed<ListOption, readonly ValueOf<I>[], S> {
    const { minLength = 0, maxLength = Infinity } = settings ?? {};
    return typed({ kind: "list", item, minLength, maxLength, ...described(description, settings) });
  },

  object<const D extends Options, const S extends Settings>(
    description: string,
    options: D,
    settings?: S,
  ): Typed<ObjectOption, OptionsOf<D>, S> {
    return typed({ kind: "object", options, ...described(description, settings) });
  },

  record<const I extends Option, const S extends Settings>(
    description: string,
    value: I,
    settings?: S,
  ): Typed<RecordOption, Readonly<Record<string, ValueOf<I>>>, S> {
    return typed({ kind: "record", value, ...described(description, settings) });
  },

  storage<const S extends Settings>(description: string, settings?: S): Typed<StorageOption, AnyStorage, S> {
    return typed({ kind: "storage", takes: "any", ...described(description, settings) });
  },

  byteStorage<const S extends Settings>(description: string, settings?: S): Typed<StorageOption, ByteStorage, S> {
    return typed({ kind: "storage", takes: "bytes", ...described(description, settings) });
  },

  either<const A extends readonly Option[], const S extends DefaultSettings<boolean | number | string>>(
    description: string,
    alternatives: A,
    settings?: S,
  ): Typed<EitherOption, ValueOf<A[number]>, S> {
    return typed({ kind: "either", alternatives, ...described(description, settings) });
  },
} as const;

/** Adds the types that only the compiler sees. */
function typed<O extends Option, T, S>(definition: O): Typed<O, T, S> {
  return Object.freeze(definition) as Typed<O, T, S>;
}

function described<T>(description: string, settings: DefaultSettings<T> | undefined): DescribedOption & { readonly default?: T } {
  const { required = false } = settings ?? {};
  return settings?.default === undefined ? { description, required } : { description, required, default: settings.default };
}

function range(settings: RangeSettings | undefined): { readonly min: number; readonly max: number } {
  return { min: settings?.min ?? 0, max: settings?.max ?? Infinity };
}
