import type { AnyStorage, Bytes, ByteStorage } from "../contract/contract.ts";

/** What an option says of itself, whatever its kind. */
interface Described {
  /** One sentence: what it does. */
  readonly description: string;
  readonly required: boolean;
}

/** Milliseconds in code, `5m` in YAML. */
export interface DurationOption extends Described {
  readonly kind: "duration";
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

/** Bytes in code, `64MB` in YAML. */
export interface SizeOption extends Described {
  readonly kind: "size";
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

export interface NumberOption extends Described {
  readonly kind: "number";
  readonly whole: boolean;
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

export interface BooleanOption extends Described {
  readonly kind: "boolean";
  readonly default?: boolean;
}

export interface TextOption extends Described {
  readonly kind: "text";
  readonly default?: string;
  /** What the text must look like, as a regular expression, with a word for people. */
  readonly pattern?: { readonly source: string; readonly meaning: string };
}

/** One of a few words. */
export interface ChoiceOption extends Described {
  readonly kind: "choice";
  readonly values: readonly string[];
  readonly default?: string;
}

/** A file or a folder. In YAML it is relative to the file that names it; `make` gets it absolute. */
export interface PathOption extends Described {
  readonly kind: "path";
  readonly default?: string;
}

/** A password or a key. In YAML only by reference: `{ fromEnv: NAME }` or `{ fromFile: path }`. */
export interface SecretOption extends Described {
  readonly kind: "secret";
  /** `key`: exactly 32 bytes, written as base64 or hex. */
  readonly form: "text" | "key";
}

export interface ListOption extends Described {
  readonly kind: "list";
  readonly item: Option;
  readonly minLength: number;
  readonly maxLength: number;
}

/** Named options inside an option. */
export interface ObjectOption extends Described {
  readonly kind: "object";
  readonly options: Options;
}

/** Names that the user chooses, each with a value of one kind. */
export interface RecordOption extends Described {
  readonly kind: "record";
  readonly value: Option;
}

/** Another storage: `{ use: name }`, or a backend with layers. It stays open when its holder closes; whoever made it closes it. */
export interface StorageOption extends Described {
  readonly kind: "storage";
  readonly takes: "bytes" | "any";
}

/** The first of several kinds that fits. */
export interface EitherOption extends Described {
  readonly kind: "either";
  readonly alternatives: readonly Option[];
  readonly default?: boolean | number | string;
}

export type Option =
  | DurationOption
  | SizeOption
  | NumberOption
  | BooleanOption
  | TextOption
  | ChoiceOption
  | PathOption
  | SecretOption
  | ListOption
  | ObjectOption
  | RecordOption
  | StorageOption
  | EitherOption;

/** The options of a plugin by name. */
export type Options = Readonly<Record<string, Option>>;

/** An option that carries, for the compiler alone, the type of its value and whether it must be given. */
export type Typed<O extends Option, T, S> = O & {
  readonly required: S extends { readonly required: true } ? true : false;
  /** Never set. */
  readonly type?: T;
};

/** The type of an option's value. */
export type ValueOf<O> = O extends { readonly type?: infer T } ? Exclude<T, undefined> : never;

/** What `make` gets for these definitions; where they are not known, only their checked values will do. */
export type OptionsOf<D extends Options> = string extends keyof D
  ? never
  : {
      readonly [Name in keyof D as D[Name]["required"] extends true ? Name : never]: ValueOf<D[Name]>;
    } & {
      readonly [Name in keyof D as D[Name]["required"] extends true ? never : Name]?: ValueOf<D[Name]> | undefined;
    };

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

function described<T>(description: string, settings: DefaultSettings<T> | undefined): Described & { readonly default?: T } {
  const { required = false } = settings ?? {};
  return settings?.default === undefined ? { description, required } : { description, required, default: settings.default };
}

function range(settings: RangeSettings | undefined): { readonly min: number; readonly max: number } {
  return { min: settings?.min ?? 0, max: settings?.max ?? Infinity };
}
