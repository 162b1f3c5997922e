import type { AnyStorage, Clock, OperationName } from "@stowage/core";
import { systemClock } from "@stowage/core";
import { Calls } from "./calls.ts";
import { Presence } from "./presence.ts";

/** Which calls are meant: all values come from closed sets. */
export interface PlaceName {
  /** The name that the user gave the storage. */
  readonly storage: string;
  /** What stands directly below. */
  readonly layer: string;
  /** The backend that the stack ends in; the first one where there are several. */
  readonly system: string;
}

/** Where one metrics layer stands, and what it has measured there. */
export class Place {
  readonly name: PlaceName;
  /** What this place measures alone: everything below, down to the next places, from the backend up. */
  readonly parts: readonly AnyStorage[];
  /** The next places below. */
  readonly below: readonly Place[];
  readonly presence: Presence = new Presence();
  readonly calls: Readonly<Record<OperationName, Calls>> = callsOfAll();
  readonly clock: Clock;
  /** Milliseconds from any moment on. */
  readonly now: () => number;

  /**
   * @param placeOf the place of a metrics layer; undefined for any other storage
   * @param clock that of the machine is read as a monotonic one
   */
  constructor(below: AnyStorage, storage: string, clock: Clock, placeOf: (part: AnyStorage) => Place | undefined) {
    this.clock = clock;
    this.now = clock === systemClock ? monotonic : () => clock.now();
    this.name = { storage, layer: below.name, system: backendOf(below).name };
    const { parts, places } = partsOf(below, placeOf);
    this.parts = parts;
    this.below = places;
    // The moments of two clocks have nothing to do with each other.
    for (const place of places) if (place.clock === clock) this.presence.standOn(place.presence, this.now());
  }
}

/** Bound: one call less for each reading. */
const monotonic: () => number = performance.now.bind(performance);

/** All that stands below, from the backend up, and the places where it ends. */
function partsOf(
  top: AnyStorage,
  placeOf: (part: AnyStorage) => Place | undefined,
): { readonly parts: AnyStorage[]; readonly places: Place[] } {
  const parts = new Set<AnyStorage>();
  const places = new Set<Place>();
  const visit = (part: AnyStorage): void => {
    const place = placeOf(part);
    if (place !== undefined) places.add(place);
    if (place !== undefined || parts.has(part)) return;
    for (const inner of part.inner) visit(inner);
    parts.add(part);
  };
  visit(top);
  return { parts: [...parts], places: [...places] };
}

function backendOf(storage: AnyStorage): AnyStorage {
  let backend = storage;
  for (let [below] = backend.inner; below !== undefined; [below] = backend.inner) backend = below;
  return backend;
}

function callsOfAll(): Readonly<Record<OperationName, Calls>> {
  return {
    get: new Calls("get"),
    getEntry: new Calls("getEntry"),
    getEntries: new Calls("getEntries"),
    head: new Calls("head"),
    has: new Calls("has"),
    list: new Calls("list"),
    put: new Calls("put"),
    delete: new Calls("delete"),
    batch: new Calls("batch"),
    clear: new Calls("clear"),
    flush: new Calls("flush"),
    read: new Calls("read"),
    write: new Calls("write"),
  };
}
