import { randomFillSync } from "node:crypto";

/** Asking the system costs 1.5 µs, whatever the amount. */
const pool = new Uint8Array(8 * 1024);
let used = pool.byteLength;

/** Fills a few bytes with randomness. What was handed out is forgotten here at once. */
export function fillRandom(target: Uint8Array): void {
  const size = target.byteLength;
  if (used + size > pool.byteLength) {
    randomFillSync(pool);
    used = 0;
  }
  for (let index = 0; index < size; index++) {
    target[index] = pool[used + index] as number;
    pool[used + index] = 0;
  }
  used += size;
}
