import type { ReadOptions } from "@stowage/core";

/** What a `Range` header can ask for without the size of the value. */
export type Range =
  | { readonly kind: "whole" | "nothing" | "sized" }
  /** From `start` on, up to `end` where there is one; a negative `start` counts from the end. */
  | { readonly kind: "part"; readonly header: string };

/** How a part is asked for. `sized`: its bounds are known only when the size is. */
export function rangeOf({ start = 0, end }: Pick<ReadOptions, "start" | "end">): Range {
  if (start === 0 && end === undefined) return { kind: "whole" };
  if (end === undefined) return { kind: "part", header: start < 0 ? `bytes=${start}` : `bytes=${start}-` };
  if (start < 0 || end < 0) return { kind: "sized" };
  return end <= start ? { kind: "nothing" } : absoluteRange(start, end);
}

/** A part that is not empty, from its first byte to the one after its last. */
export function absoluteRange(start: number, end: number): Range {
  return { kind: "part", header: `bytes=${start}-${end - 1}` };
}
