import type { Contender } from "./compare.ts";
import { ownCopy } from "./compare.ts";

/** As much of a storage as can be compared to a Map. */
export interface Store<V> extends Readable {
  put(key: string, value: V): Promise<unknown>;
}

interface Readable {
  get(key: string): Promise<unknown>;
}

/** What is put under which keys, and in which order the calls go. */
export interface Data<V> {
  readonly keys: readonly string[];
  readonly values: readonly V[];
}

/** Keys like those of an application, in an order that is not theirs. */
export function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `user/${((index * 2_654_435_761) % 4_294_967_296).toString(36)}/${index}`);
}

/** One call after the other, each awaited. */
export function getting<V>(name: string, store: Readable, data: Data<V>): Contender {
  const loop = ownCopy(getAll<V>);
  return { name, operations: data.keys.length, run: () => loop(store, data) };
}

/** One call after the other, of which only the last is awaited. */
export function calling<V>(name: string, store: Readable, data: Data<V>): Contender {
  const loop = ownCopy(callAll<V>);
  return { name, operations: data.keys.length, run: () => loop(store, data) };
}

export function putting<V>(name: string, store: Store<V>, data: Data<V>): Contender {
  const loop = ownCopy(putAll<V>);
  return { name, operations: data.keys.length, run: () => loop(store, data) };
}

/** Puts into a new store each time. */
export function inserting<V>(name: string, make: () => Store<V>, data: Data<V>): Contender {
  const loop = ownCopy(putAll<V>);
  return { name, operations: data.keys.length, run: () => loop(make(), data) };
}

export async function putAll<V>(store: Store<V>, { keys, values }: Data<V>): Promise<void> {
  for (let index = 0; index < keys.length; index++) await store.put(keys[index]!, values[index]!);
}

async function getAll<V>(store: Readable, { keys }: Data<V>): Promise<void> {
  for (let index = 0; index < keys.length; index++) await store.get(keys[index]!);
}

async function callAll<V>(store: Readable, { keys }: Data<V>): Promise<void> {
  let last: unknown;
  for (let index = 0; index < keys.length; index++) last = store.get(keys[index]!);
  await last;
}
