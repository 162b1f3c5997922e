import { StorageError } from "@stowage/core";

/** Where something stands in a storage file. Lines and columns count from 1; they are 0 where it is the file as a whole. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** The names that lead to it: `storages.users.layers[0].retry`. Empty for the whole file. */
  readonly path: string;
}

/** One thing that is wrong in a storage file. */
export interface Problem extends Place {
  /** One sentence: what was expected, and what to do. Never holds a secret. */
  readonly message: string;
}

/** A storage file that cannot be used: a `StorageError` with the code `config` and everything that is wrong. */
export class ConfigError extends StorageError {
  /** The name of the file. */
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[], cause?: unknown) {
    super("config", summary(file, problems), cause === undefined ? {} : { cause });
    this.file = file;
    this.problems = problems;
  }
}

/** Gathers what is wrong, so that all of it can be shown together. */
export class Problems {
  readonly #problems: Problem[] = [];

  get found(): boolean {
    return this.#problems.length > 0;
  }

  add(place: Place, message: string): void {
    const { line, column, path } = place;
    this.#problems.push({ line, column, path, message });
  }

  /** Throws what was gathered, in the order of the file. */
  throwIfFound(file: string): void {
    if (!this.found) return;
    throw new ConfigError(
      file,
      this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column),
    );
  }
}

/** The place of the whole file. */
export const wholeFile: Place = { line: 0, column: 0, path: "" };

/** A name or a short value as it may stand in a message, on a terminal too: what would steer one is escaped. */
export function quote(text: string): string {
  const short = text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text;
  return JSON.stringify(short).replaceAll(/[\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g, escaped);
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Names in a message: `"a", "b" or "c"`. */
export function alternatives(names: readonly string[]): string {
  const quoted = names.map(quote);
  return quoted.length < 2 ? quoted.join("") : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}

const longestQuote = 40;

/** More than these help nobody. */
const mostShown = 50;

function summary(file: string, problems: readonly Problem[]): string {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) return `${file}:${sentence(first)}`;
  const shown = problems.slice(0, mostShown).map((problem) => `\n  ${sentence(problem).trimStart()}`);
  const hidden = problems.length - shown.length;
  return `${file} has ${problems.length} problems:${shown.join("")}${hidden > 0 ? `\n  and ${hidden} more` : ""}`;
}

function sentence({ line, column, path, message }: Problem): string {
  return `${line === 0 ? "" : `${line}:${column}`} ${path === "" ? "" : `${path}: `}${message}`;
}
