import type { Capabilities } from "@stowage/core";
import type { Settings } from "./options.ts";

/**
 * What all replicas together can do: as much as the weakest. No conditions: a condition has to be decided in one place,
 * and replicas that do not know of each other would each decide for themselves.
 */
export function capabilitiesOf(settings: Settings): Capabilities {
  const all = settings.replicas.map(({ storage }) => storage.capabilities);
  return {
    ttl: weakest(
      all.map(({ ttl }) => ttl),
      [false, "lazy", "native"],
    ),
    metadata: true,
    conditions: [],
    list: weakest(
      all.map(({ list }) => list),
      ["none", "unordered", "ordered"],
    ),
    atomicBatch: false,
    anyKey: all.every(({ anyKey }) => anyKey),
    streams: weakest(
      all.map(({ streams }) => streams),
      ["none", "buffered", "native"],
    ),
    durability: durabilityOf(settings),
    shared: all.every(({ shared }) => shared),
  };
}

const durabilities = ["memory", "process", "power"] as const;

/**
 * What is read again after the loss, and not only kept somewhere. A read that asks the next replica where one has nothing
 * finds what any of them has kept; a write that was acknowledged is at least on the best of the weakest that it may have
 * reached. Any other read may ask the one that lost it.
 */
function durabilityOf({ replicas, write, readMissing }: Settings): Capabilities["durability"] {
  const ranks = replicas.map(({ storage }) => durabilities.indexOf(storage.capabilities.durability)).toSorted((a, b) => a - b);
  return durabilities[ranks[readMissing === "next" ? write - 1 : 0]!]!;
}

function weakest<T>(found: readonly T[], fromWeakest: readonly T[]): T {
  return fromWeakest.find((each) => found.includes(each))!;
}
