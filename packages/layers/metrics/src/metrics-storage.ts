import type { AnyStorage, Clock, Details, Storage } from "@stowage/core";
import { ForwardingStorage } from "@stowage/core";
import type { Place } from "./place.ts";

/** Options with their defaults. */
export interface Settings {
  readonly enabled: boolean;
  readonly name: string;
  readonly spans: boolean;
}

/** What `metrics()` makes; `findLayer(storage, MetricsStorage)` finds it. As it is here it measures nothing. */
export class MetricsStorage<V> extends ForwardingStorage<V> {
  readonly name = "metrics";
  readonly #settings: Settings;

  constructor(inner: Storage<V>, settings: Settings, clock?: Clock) {
    super(inner, clock);
    this.#settings = settings;
  }

  override details(): Details {
    return { options: { ...this.#settings }, stats: {} };
  }

  /** @internal */
  get place(): Place | undefined {
    return undefined;
  }
}

/** Where a metrics layer measures. */
export function placeOf(part: AnyStorage): Place | undefined {
  return part instanceof MetricsStorage ? part.place : undefined;
}
