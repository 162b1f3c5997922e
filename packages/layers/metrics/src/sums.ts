import type { Attributes } from "@opentelemetry/api";

/** Numbers by their attributes, those of equal attributes added up. */
export class Sums {
  readonly #sums = new Map<string, { readonly attributes: Attributes; sum: number }>();

  add(attributes: Attributes, value: number): void {
    const key = JSON.stringify(attributes);
    const known = this.#sums.get(key);
    if (known === undefined) this.#sums.set(key, { attributes, sum: value });
    else known.sum += value;
  }

  addAll(other: Sums): void {
    for (const { attributes, sum } of other.all) this.add(attributes, sum);
  }

  get all(): Iterable<{ readonly attributes: Attributes; readonly sum: number }> {
    return this.#sums.values();
  }
}
