/**
 * Drops a small object, now and then, while blocks stream.
 *
 * V8 frees the memory of a buffer when it collects the buffer's object. A stream of large blocks makes so few objects that V8
 * looks only after 64 MiB of dead buffers. With this litter it looks sooner. Measured on writing 1 GiB: 40 MiB of memory
 * instead of 64 to 68, at the same speed.
 */
export function litter(): void {
  if (++blocks % 4 === 0) kept.last = Array<number>(4096).fill(blocks);
}

let blocks = 0;

/** Keeps the object from being optimised away. */
const kept: { last: readonly number[] } = { last: [] };
