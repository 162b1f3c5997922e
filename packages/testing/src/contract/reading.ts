import assert from "node:assert/strict";
import type { Bytes, Entry, ListOptions, Page, Storage } from "@stowage/core";
import { concatBytes } from "@stowage/core";
import { isPlain } from "./assertions.ts";

/** All bytes of a stream that `read` gave. Its chunks are kept until the end, so that memory that is used twice shows. */
export async function collect(entry: Entry<ReadableStream<Bytes>> | undefined): Promise<Bytes> {
  assert.ok(entry !== undefined, "read must find the entry.");
  const chunks: Bytes[] = [];
  for await (const chunk of entry.value) {
    isPlain(chunk, "A chunk of a stream");
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}

/** More pages than any listing here can take. */
const endless = 10_000;

/** Every page of a listing, each checked against the limit. */
export async function* pages(storage: Storage<unknown>, options: ListOptions = {}): AsyncGenerator<Page, void, void> {
  const { startAfter: _onlyFirst, ...rest } = options;
  let cursor: string | undefined;
  for (let count = 0; count < endless; count++) {
    const page = await storage.list(cursor === undefined ? options : { ...rest, cursor });
    const size = page.entries.length + page.prefixes.length;
    assert.ok(size <= (options.limit ?? 1000), `A page must not hold more than ${options.limit ?? 1000}, got ${size}.`);
    yield page;
    if (page.cursor === undefined) return;
    cursor = page.cursor;
  }
  assert.fail(`The listing did not end after ${endless} pages.`);
}

/** All keys of a listing. Those of an unordered one are sorted, each once, for comparing. */
export async function keysOf(storage: Storage<unknown>, options?: ListOptions): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of pages(storage, options)) keys.push(...page.entries.map((entry) => entry.key));
  return storage.capabilities.list === "ordered" ? keys : sorted(new Set(keys));
}

/** All rolled-up prefixes of a listing. */
export async function prefixesOf(storage: Storage<unknown>, options: ListOptions): Promise<string[]> {
  const prefixes: string[] = [];
  for await (const page of pages(storage, options)) prefixes.push(...page.prefixes);
  return prefixes;
}

const encoder = new TextEncoder();

/** Keys in the order of their UTF-8 bytes. */
export function sorted(keys: Iterable<string>): string[] {
  return Array.from(keys, (key) => ({ key, bytes: encoder.encode(key) }))
    .toSorted((a, b) => compareBytes(a.bytes, b.bytes))
    .map(({ key }) => key);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at === -1 ? a.length - b.length : (a[at] as number) - (b[at] ?? -1);
}
