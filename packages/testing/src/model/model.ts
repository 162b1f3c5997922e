import type { Metadata } from "@stowage/core";
import { compareKeys } from "@stowage/core";

/** What the model knows of one key. */
export interface ModelEntry {
  /** Number of the sample that was put. */
  readonly value: number;
  readonly metadata: Metadata | undefined;
  readonly expiresAt: number | undefined;
}

/** A storage as simple as it can be. Entries that expired stay until something takes their place. */
export type Model = Map<string, ModelEntry>;

/** What becomes of one key: an entry, or nothing. */
export interface Change {
  readonly key: string;
  readonly after: ModelEntry | undefined;
}

/** What a whole list gives. */
export interface ModelList {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
}

/** The entry under a key, unless it expired by `now`. */
export function lookUp(model: Model, key: string, now: number): ModelEntry | undefined {
  const entry = model.get(key);
  return entry === undefined || isExpired(entry, now) ? undefined : entry;
}

/** Carries out a change. What is put with an expiry that has passed is gone at once. */
export function apply(model: Model, { key, after }: Change, now: number): void {
  if (after === undefined || isExpired(after, now)) model.delete(key);
  else model.set(key, after);
}

/** Every key that is there, in the order of UTF-8 bytes. */
export function liveKeys(model: Model, now: number, prefix = ""): string[] {
  return Array.from(model.keys())
    .filter((key) => key.startsWith(prefix) && lookUp(model, key, now) !== undefined)
    .sort(compareKeys);
}

/** Keys that a lazy storage may still name, although they expired. */
export function expiredKeys(model: Model, now: number): Set<string> {
  return new Set(Array.from(model).flatMap(([key, entry]) => (isExpired(entry, now) ? [key] : [])));
}

/** Keys and prefixes that a list gives in the end, over all its pages. */
export function listOf(keys: readonly string[], prefix = "", delimiter?: string, startAfter?: string): ModelList {
  const found = keys.filter((key) => key.startsWith(prefix) && (startAfter === undefined || compareKeys(key, startAfter) > 0));
  if (delimiter === undefined) return { keys: found, prefixes: [] };
  const endOf = (key: string): number => key.indexOf(delimiter, prefix.length);
  const prefixes = new Set(found.filter((key) => endOf(key) !== -1).map((key) => key.slice(0, endOf(key) + delimiter.length)));
  return { keys: found.filter((key) => endOf(key) === -1), prefixes: Array.from(prefixes) };
}

function isExpired({ expiresAt }: ModelEntry, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}
