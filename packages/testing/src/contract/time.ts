import type { ContractContext } from "./promise.ts";

/**
 * What is found of entries before their `ttl` is over. Where the time of a server went on to their end meanwhile, that
 * proves nothing, and it is done again with a longer one.
 */
export async function beforeTheEnd<T>({ now }: ContractContext, find: (ttl: number) => Promise<T>): Promise<T> {
  for (let ttl = 100; ; ttl *= 4) {
    const end = now() + ttl;
    const found = await find(ttl);
    if (now() < end) return found;
  }
}
