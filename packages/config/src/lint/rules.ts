import type { AnyStorage, Trait } from "@stowage/core";
import type { Part } from "./lint.ts";

/** What `lint` can find. */
export type FindingCode =
  | "cache-below-transform"
  | "cache-of-itself"
  | "composite-above-encryption"
  | "composite-below-encryption"
  | "compression-below-encryption"
  | "compression-below-envelope"
  | "envelope-below-encryption"
  | "limit-below-transform"
  | "metrics-below-cache"
  | "plaintext-in-memory"
  | "plaintext-leaves"
  | "rekey-below-encryption"
  | "retry-above-cache"
  | "retry-above-transform"
  | "two-compressions"
  | "two-retries";

/** `error`: data would be at risk; `warning`: it works, but not as one would want; `note`: it is well, and one should know. */
export type Severity = "error" | "warning" | "note";

/** Two layers on one path that should not be in this order, or of which one should know something. */
export interface PairRule {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly upper: Trait;
  readonly lower: Trait;
  /** One is enough: the better order is without the upper one. */
  readonly keepOne?: boolean;
  /** Whether there is nothing wrong after all; `above` is what all that stands above the lower one does. */
  readonly unless?: (upper: Part, lower: Part, above: ReadonlySet<Trait>) => boolean;
  readonly message: (upper: string, lower: string) => string;
}

/** A layer that keeps data in a second storage, which is wrong for it. */
export interface StoreRule {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly of: readonly Trait[];
  readonly applies: (store: AnyStorage, below: AnyStorage, encrypts: (storage: AnyStorage) => boolean) => boolean;
  readonly message: (name: string) => string;
}

const transforms: readonly Trait[] = ["encrypts", "envelops", "compresses", "codes"];

export const pairRules: readonly PairRule[] = [
  {
    code: "compression-below-encryption",
    severity: "error",
    upper: "encrypts",
    lower: "compresses",
    message: (upper, lower) => `"${lower}" below "${upper}" saves nothing, because what is encrypted cannot be compressed; put it above.`,
  },
  {
    code: "compression-below-envelope",
    severity: "warning",
    upper: "envelops",
    lower: "compresses",
    message: (upper, lower) => `"${lower}" below "${upper}" has to decompress a value to tell its expiry and its metadata; put it above.`,
  },
  {
    code: "envelope-below-encryption",
    severity: "warning",
    upper: "encrypts",
    lower: "envelops",
    message: (upper, lower) => `"${lower}" below "${upper}" stores metadata and expiry unencrypted; put it above.`,
  },
  {
    code: "rekey-below-encryption",
    severity: "warning",
    upper: "encrypts",
    lower: "rekeys",
    message: (upper, lower) =>
      `"${upper}" binds each value to its key, and "${lower}" changes the key below it: values could be swapped between prefixes unnoticed, and none can be read once the two change places; put "${lower}" above.`,
  },
  {
    code: "two-compressions",
    severity: "warning",
    upper: "compresses",
    lower: "compresses",
    keepOne: true,
    message: (upper, lower) => `"${upper}" over "${lower}" compresses twice, which costs time and saves nothing; keep one.`,
  },
  {
    code: "two-retries",
    severity: "warning",
    upper: "retries",
    lower: "retries",
    keepOne: true,
    message: (upper, lower) => `"${upper}" over "${lower}" multiplies the attempts of each call and its longest time; keep one.`,
  },
  ...transforms.map((lower): PairRule => ({
    code: "retry-above-transform",
    severity: "warning",
    upper: "retries",
    lower,
    message: (retries, transform) =>
      `"${retries}" above "${transform}" does that work again at each attempt; put it below, next to the backend.`,
  })),
  {
    code: "retry-above-cache",
    severity: "warning",
    upper: "retries",
    lower: "caches",
    message: (upper, lower) =>
      `"${upper}" above "${lower}" also watches over calls that never leave it; put it below, next to the backend.`,
  },
  ...transforms.map((upper): PairRule => ({
    code: "cache-below-transform",
    severity: "warning",
    upper,
    lower: "caches",
    // What is shared or outlives the process is rightly kept as it is stored: encrypted.
    unless: (_, { storage }) => storage.inner.slice(1).some(leavesMemory),
    message: (transform, cache) => `"${cache}" below "${transform}" spares the backend, but each hit is worked out again; put it on top.`,
  })),
  {
    code: "metrics-below-cache",
    severity: "warning",
    upper: "caches",
    lower: "measures",
    unless: (_upper, _lower, above) => above.has("measures"),
    message: (upper, lower) =>
      `"${lower}" below "${upper}" does not see the calls that the cache answers; put it on top, or one more there.`,
  },
  {
    code: "plaintext-in-memory",
    severity: "note",
    upper: "caches",
    lower: "encrypts",
    message: (upper, lower) => `"${upper}" above "${lower}" keeps values unencrypted, in the memory of this process alone.`,
  },
  {
    code: "composite-below-encryption",
    severity: "note",
    upper: "encrypts",
    lower: "replicates",
    message: (upper, lower) =>
      `"${upper}" above "${lower}" encrypts once, with the same keys for every replica; versions and tombstones below it are not encrypted.`,
  },
  {
    code: "composite-above-encryption",
    severity: "note",
    upper: "replicates",
    lower: "encrypts",
    message: (upper, lower) =>
      `"${upper}" above "${lower}" lets each replica encrypt for itself, with keys of its own, and costs that work once for each.`,
  },
  ...(["encrypts", "envelops", "compresses"] as const).map((upper): PairRule => ({
    code: "limit-below-transform",
    severity: "warning",
    upper,
    lower: "limits",
    unless: (_, { storage }) => storage.details().options["maxSize"] === undefined,
    message: (transform, limit) =>
      `the maxSize of "${limit}" below "${transform}" counts the bytes that are stored, not those of the value; put it above.`,
  })),
];

export const storeRules: readonly StoreRule[] = [
  {
    code: "cache-of-itself",
    severity: "error",
    of: ["caches"],
    applies: (store, below) => shareBackend(store, below),
    message: (name) =>
      `the store of "${name}" is the backend that it is to spare; give it one of its own, or none to keep entries in memory.`,
  },
  {
    code: "plaintext-leaves",
    severity: "error",
    of: ["caches", "queues"],
    applies: (store, below, encrypts) => leavesMemory(store) && encrypts(below) && !encrypts(store),
    message: (name) =>
      `"${name}" above encryption keeps unencrypted values in a second storage that outlives or leaves this process; put it below the encryption, or encrypt that storage too.`,
  },
];

/** Whether what is put there can be read by others, or after the process. */
function leavesMemory(storage: AnyStorage): boolean {
  return storage.capabilities.durability !== "memory" || storage.capabilities.shared;
}

function shareBackend(one: AnyStorage, other: AnyStorage): boolean {
  const others = [...backendsOf(other)];
  return [...backendsOf(one)].some((backend) => others.some((candidate) => isSame(backend, candidate)));
}

/** The same storage, or two of a kind over the same folder. */
function isSame(one: AnyStorage, other: AnyStorage): boolean {
  if (one === other) return true;
  const directory = one.details().options["directory"];
  return one.name === other.name && typeof directory === "string" && directory === other.details().options["directory"];
}

function backendsOf(storage: AnyStorage, found: Set<AnyStorage> = new Set(), seen: Set<AnyStorage> = new Set()): Set<AnyStorage> {
  if (seen.has(storage)) return found;
  seen.add(storage);
  if (storage.inner.length === 0) found.add(storage);
  for (const inner of storage.inner) backendsOf(inner, found, seen);
  return found;
}
