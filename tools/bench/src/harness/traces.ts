import { randomFrom } from "./random.ts";

/** Numbers of the keys that are asked for, in order. */
export type Trace = Uint32Array;

/** The six traces by which policies of eviction are compared: so many requests for so many keys. */
export function traces(keys: number, requests: number): Readonly<Record<string, Trace>> {
  const { floor } = Math;
  const trace = (exponent: number, keyOf: (rank: number, request: number) => number): Trace => {
    const next = zipf(keys, exponent, randomFrom(7));
    return Uint32Array.from({ length: requests }, (_, request) => keyOf(next(), request));
  };
  const asRanked = (rank: number): number => rank;
  // A scan passes over keys that nobody asks for again: two of seven requests.
  let scanned = keys;
  const withScans = (rank: number, request: number): number => (request % (keys / 5) < (keys / 5) * (2 / 7) ? scanned++ : rank);
  const shifting = (rank: number, request: number): number => (rank + floor((request * 10) / requests) * (keys / 20)) % keys;
  // Every second request goes round and round over a fifth of the keys.
  const withLoop = (rank: number, request: number): number => (request % 2 === 0 ? keys + ((request / 2) % (keys / 5)) : rank);
  return {
    "Zipf 0.8": trace(0.8, asRanked),
    "Zipf 0.99": trace(0.99, asRanked),
    "Zipf 1.2": trace(1.2, asRanked),
    "Zipf 0.99 + scans": trace(0.99, withScans),
    "shifting Zipf": trace(0.99, shifting),
    "Zipf + loop": trace(0.8, withLoop),
  };
}

/** Ranks from 0 whose probability falls with a power of the rank. */
export function zipf(count: number, exponent: number, random: () => number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += 1 / (rank + 1) ** exponent;
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
