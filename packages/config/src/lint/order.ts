import type { Trait } from "@stowage/core";
import type { Part } from "./lint.ts";

/** Where each kind of layer belongs, from the backend up. What has no place of its own stays above what it stands on. */
const ranks: Readonly<Partial<Record<Trait, number>>> = {
  queues: 1,
  retries: 2,
  encrypts: 3,
  rekeys: 4,
  envelops: 5,
  compresses: 6,
  limits: 7,
  codes: 8,
  caches: 9,
  measures: 10,
};

/** The names of a stack in the canonical order, from the backend up, from its parts as they are, from the top down. */
export function betterOrder(parts: readonly Part[]): string[] {
  const upwards = parts.filter(({ storage }) => storage.name !== "borrowed").toReversed();
  let rank = 0;
  const ranked = upwards.map(({ storage, traits }) => {
    const places = [...traits].flatMap((trait) => ranks[trait] ?? []);
    if (places.length > 0) rank = Math.max(...places);
    return { name: storage.name, rank: storage.inner.length === 0 ? 0 : rank };
  });
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ name }) => name);
}
