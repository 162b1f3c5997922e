import type { Bytes } from "@stowage/core";
import { readTextFile } from "./yaml/read-text-file.ts";

/** Where secrets come from, and who knows them afterwards so that they can be kept out of what is printed. */
export class Secrets {
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #known = new Set<string>();

  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.#environment = environment;
  }

  /** The text of an environment variable. Throws a sentence that does not hold it. */
  fromEnv(name: string): string {
    const text = Object.hasOwn(this.#environment, name) ? this.#environment[name] : undefined;
    if (text === undefined) throw new SecretProblem(`the environment variable ${speakable(name)}is not set.`);
    if (text === "") throw new SecretProblem(`the environment variable ${speakable(name)}is empty.`);
    this.#known.add(text);
    return text;
  }

  /** The text of a file without one newline at its end. Rejects with a sentence that does not hold it. */
  async fromFile(path: string): Promise<string> {
    const read = await readTextFile(path, largestSecret);
    if ("wrong" in read) throw new SecretProblem(`the file of this secret ${read.wrong}`);
    const text = read.text.replace(/\r?\n$/, "");
    if (text === "") throw new SecretProblem("the file of this secret is empty.");
    this.#known.add(text);
    return text;
  }

  /** A key of 32 bytes from its text. Throws a sentence that does not hold it. */
  key(text: string): Bytes {
    const bytes = decodeKey(text);
    if (bytes === undefined) throw new SecretProblem("a key must be base64 or hex of exactly 32 bytes, without anything around it.");
    return bytes;
  }

  /** A sentence without any secret that was read. */
  redact(message: string): string {
    let clean = message;
    for (const secret of this.#known) clean = clean.replaceAll(secret, "(secret)");
    return clean;
  }
}

/** A secret that could not be had, in a sentence. */
export class SecretProblem extends Error {}

/** No secret is larger. */
const largestSecret = 64 * 1024;

const keySize = 32;

function decodeKey(text: string): Bytes | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text))
    return Uint8Array.from({ length: keySize }, (_, index) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16));
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(text) && !/^[A-Za-z0-9_-]{43}=?$/.test(text)) return undefined;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return binary.length === keySize ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : undefined;
}

/**
 * The name of a variable as it may be shown: only what looks like one, `USERS_KEY`, for somebody may have put the secret
 * itself there.
 */
function speakable(name: string): string {
  return name.length <= 64 && /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(name) ? `${name} ` : "";
}
