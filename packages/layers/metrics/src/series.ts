import type { Attributes } from "@opentelemetry/api";
import { guarded } from "./guarded.ts";
import type { Histogram } from "./histogram.ts";
import { attributeNames } from "./names.ts";
import type { Place, PlaceName } from "./place.ts";
import { Sums } from "./sums.ts";

/** Numbers of one part that are exported at the most. */
const mostStats = 50;

/** Exact counts, by their attributes. */
interface Counts {
  readonly calls: Sums;
  readonly bytes: Sums;
}

/** What all places of one name have together. */
export class Series {
  readonly places: Set<Place> = new Set<Place>();
  readonly #attributes: Attributes;
  readonly #name: PlaceName;
  /** Of the places that are closed. */
  readonly #closed: Counts = { calls: new Sums(), bytes: new Sums() };

  constructor(name: PlaceName) {
    this.#name = name;
    this.#attributes = attributesOf(name);
  }

  /** Whether the place was one of these. */
  close(place: Place): boolean {
    if (!this.places.delete(place)) return false;
    this.#count(place, this.#closed);
    return true;
  }

  counts(): Counts {
    const counts: Counts = { calls: new Sums(), bytes: new Sums() };
    counts.calls.addAll(this.#closed.calls);
    counts.bytes.addAll(this.#closed.bytes);
    for (const place of this.places) this.#count(place, counts);
    return counts;
  }

  /** The numbers that the parts tell of themselves. Ratios are left out, because they cannot be added up. */
  stats(): Sums {
    const sums = new Sums();
    const parts = new Set([...this.places].flatMap((place) => place.parts));
    for (const part of parts) {
      const numbers = guarded(() => Object.entries(part.details().stats).slice(0, mostStats)) ?? [];
      for (const [stat, value] of numbers) {
        if (!Number.isFinite(value) || stat.endsWith("Ratio")) continue;
        sums.add({ ...attributesOf({ ...this.#name, layer: part.name }), [attributeNames.stat]: stat }, value);
      }
    }
    return sums;
  }

  /** The durations that a place has of each operation, by how its calls ended. */
  *endingsOf(place: Place): Iterable<{ readonly attributes: Attributes; readonly durations: Histogram }> {
    for (const { operation, endings } of Object.values(place.calls)) {
      for (const { outcome, error, durations } of endings) {
        const attributes = { ...this.#attributes, [attributeNames.operation]: operation, [attributeNames.outcome]: outcome };
        yield { attributes: error === undefined ? attributes : { ...attributes, [attributeNames.error]: error }, durations };
      }
    }
  }

  #count(place: Place, { calls, bytes }: Counts): void {
    for (const { attributes, durations } of this.endingsOf(place)) calls.add(attributes, durations.count);
    for (const { operation, bytesIn, bytesOut } of Object.values(place.calls)) {
      const attributes = { ...this.#attributes, [attributeNames.operation]: operation };
      if (bytesIn > 0) bytes.add({ ...attributes, [attributeNames.direction]: "in" }, bytesIn);
      if (bytesOut > 0) bytes.add({ ...attributes, [attributeNames.direction]: "out" }, bytesOut);
    }
  }
}

function attributesOf({ storage, layer, system }: PlaceName): Attributes {
  return { [attributeNames.system]: system, [attributeNames.storage]: storage, [attributeNames.layer]: layer };
}
