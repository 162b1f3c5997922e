/** What an option says of itself, whatever its kind. */
export interface DescribedOption {
  /** One sentence: what it does. */
  readonly description: string;
  readonly required: boolean;
}

/** Milliseconds in code, `5m` in YAML. */
export interface DurationOption extends DescribedOption {
  readonly kind: "duration";
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

/** Bytes in code, `64MB` in YAML. */
export interface SizeOption extends DescribedOption {
  readonly kind: "size";
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

export interface NumberOption extends DescribedOption {
  readonly kind: "number";
  readonly whole: boolean;
  readonly min: number;
  readonly max: number;
  readonly default?: number;
}

export interface BooleanOption extends DescribedOption {
  readonly kind: "boolean";
  readonly default?: boolean;
}

export interface TextOption extends DescribedOption {
  readonly kind: "text";
  readonly default?: string;
  /** What the text must look like, as a regular expression, with a word for people. */
  readonly pattern?: { readonly source: string; readonly meaning: string };
}

/** One of a few words. */
export interface ChoiceOption extends DescribedOption {
  readonly kind: "choice";
  readonly values: readonly string[];
  readonly default?: string;
}

/** A file or a folder. In YAML it is relative to the file that names it; `make` gets it absolute. */
export interface PathOption extends DescribedOption {
  readonly kind: "path";
  readonly default?: string;
}

/** A password or a key. In YAML only by reference: `{ fromEnv: NAME }` or `{ fromFile: path }`. */
export interface SecretOption extends DescribedOption {
  readonly kind: "secret";
  /** `key`: exactly 32 bytes, written as base64 or hex. */
  readonly form: "text" | "key";
}

export interface ListOption extends DescribedOption {
  readonly kind: "list";
  readonly item: Option;
  readonly minLength: number;
  readonly maxLength: number;
}

/** Named options inside an option. */
export interface ObjectOption extends DescribedOption {
  readonly kind: "object";
  readonly options: Options;
}

/** Names that the user chooses, each with a value of one kind. */
export interface RecordOption extends DescribedOption {
  readonly kind: "record";
  readonly value: Option;
}

/** Another storage: `{ use: name }`, or a backend with layers. It stays open when its holder closes; whoever made it closes it. */
export interface StorageOption extends DescribedOption {
  readonly kind: "storage";
  readonly takes: "bytes" | "any";
}

/** The first of several kinds that fits. */
export interface EitherOption extends DescribedOption {
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
