import { byteLength } from "@stowage/core";

/** What a namespace may look like. */
export const namespacePattern: { readonly source: string; readonly meaning: string } = {
  source: "^[A-Za-z0-9._:/-]{1,100}$",
  meaning: "1 to 100 letters, digits, and . _ : / -",
};

/**
 * What the keys of one namespace are called in Redis. The length of the namespace stands before it, so that no namespace
 * begins like another one. The braces put an entry and all that belongs to it into one hash slot of a cluster.
 *
 * | name | what |
 * | --- | --- |
 * | `5:users:e{:ada}` | the entry `ada` |
 * | `5:users:b{:ada}Xy-1` | chunks of one version of it, as a hash |
 * | `5:users:l{:ada}`, `5:users:t{:ada}` | the lock of that name, and its last token |
 * | `5:users:index` | the keys in order, as a sorted set |
 * | `5:users:format` | how the namespace is laid out |
 */
export class Names {
  /** What the names of all entries begin with. */
  readonly entries: string;
  readonly index: string;
  readonly format: string;
  readonly #start: string;

  constructor(namespace: string) {
    this.#start = `${byteLength(namespace)}:${namespace}:`;
    this.entries = `${this.#start}e{:`;
    this.index = `${this.#start}index`;
    this.format = `${this.#start}format`;
  }

  entry(key: string): string {
    return `${this.entries}${key}}`;
  }

  body(key: string, id: string): string {
    return `${this.#start}b{:${key}}${id}`;
  }

  lock(key: string): string {
    return `${this.#start}l{:${key}}`;
  }

  lastToken(key: string): string {
    return `${this.#start}t{:${key}}`;
  }

  /** The key of an entry from its name. */
  keyOf(name: string): string {
    return name.slice(this.entries.length, -1);
  }

  /** A pattern for SCAN that fits the names of all bodies. */
  get bodyPattern(): string {
    return `${this.#start}b{:*`;
  }

  /** The entry that a body belongs to, by its name: what follows the last brace is the id of the body. */
  entryOf(body: string): string | undefined {
    const end = body.lastIndexOf("}");
    return end === -1 ? undefined : this.entry(body.slice(this.entries.length, end));
  }

  /** A pattern for SCAN that fits the names of all entries under a prefix, and no others. */
  pattern(prefix: string): string {
    return `${(this.entries + prefix).replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}*`;
  }
}
