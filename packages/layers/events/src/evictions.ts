import type { AnyStorage } from "@stowage/core";

/** An entry that a cache let go of for want of room. */
export interface Evicted {
  readonly key: string;
  /** Bytes as the cache counts them, where it does. */
  readonly size?: number | undefined;
}

/** What a layer offers whose evictions are told as events. Whoever has this method is asked, wherever it comes from. */
export interface Evicting {
  /** Calls the listener for each entry that goes for want of room; what it returns ends that. */
  onEvict(listener: (evicted: Evicted) => void): () => void;
}

/** Listens to the evictions of a storage and of all that it stands on, once however many paths lead there. */
export function listenToEvictions(storage: AnyStorage, tell: (evicted: Evicted, storage: string) => void): () => void {
  const ends: (() => void)[] = [];
  const seen = new Set<AnyStorage>();
  const visit = (part: AnyStorage): void => {
    if (seen.has(part)) return;
    seen.add(part);
    if (isEvicting(part)) ends.push(part.onEvict((evicted) => tell(evicted, part.name)));
    for (const inner of part.inner) visit(inner);
  };
  visit(storage);
  return () => {
    for (const end of ends) end();
  };
}

function isEvicting(storage: object): storage is Evicting {
  return "onEvict" in storage && typeof storage.onEvict === "function";
}
