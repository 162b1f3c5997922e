/** What a key held from some moment on. */
interface State {
  readonly value: number | undefined;
  readonly expiresAt: number;
}

const nothing: State = { value: undefined, expiresAt: Number.POSITIVE_INFINITY };

/** All that was ever below, in the order in which it got there, and what a reader may see of it. */
export class Truth {
  readonly #states = new Map<string, State[]>();
  /** The first state that a read which begins now may see. */
  readonly #floors = new Map<string, number>();
  /** States that become the floor at a time, because nobody was told of them. */
  #due: { key: string; index: number; at: number }[] = [];

  constructor(keys: readonly string[]) {
    for (const key of keys) this.#states.set(key, [nothing]);
  }

  get keys(): string[] {
    return [...this.#states.keys()];
  }

  /** Something got there. Gives its number. */
  set(key: string, value: number | undefined, expiresAt: number = Number.POSITIVE_INFINITY): number {
    return this.#of(key).push({ value, expiresAt }) - 1;
  }

  /** The number of the latest state. */
  latest(key: string): number {
    return this.#of(key).length - 1;
  }

  /** What is there at a time. */
  now(key: string, time: number): number | undefined {
    const { value, expiresAt } = this.#of(key).at(-1) as State;
    return expiresAt <= time ? undefined : value;
  }

  has(value: number): boolean {
    return [...this.#states.values()].some((states) => states.some((state) => state.value === value));
  }

  /** From now on nobody may see anything older. */
  raise(key: string, index: number): void {
    this.#floors.set(key, Math.max(this.#floors.get(key) ?? 0, index));
  }

  /** From a time on nobody may see anything older. */
  raiseAt(key: string, index: number, at: number): void {
    this.#due.push({ key, index, at });
  }

  /** A put of this value was acknowledged. */
  acknowledge(key: string, value: number): void {
    this.raise(
      key,
      this.#of(key).findIndex((state) => state.value === value),
    );
  }

  /** A removal that began at this state was acknowledged: the first one since then is the least that it can have been. */
  acknowledgeRemoval(key: string, since: number): void {
    const index = this.#of(key).findIndex((state, at) => at > since && state.value === undefined);
    if (index !== -1) this.raise(key, index);
  }

  /** The first state that a read which begins at a time may see. */
  floor(key: string, time: number): number {
    for (const { key: due, index, at } of this.#due) if (at <= time) this.raise(due, index);
    this.#due = this.#due.filter(({ at }) => at > time);
    return this.#floors.get(key) ?? 0;
  }

  /** Whether a read that began at a time with this floor, and ends at another, may have seen this. */
  mayBeSeen(key: string, value: number | undefined, floor: number, began: number, ended: number): boolean {
    const states = this.#of(key).slice(floor);
    if (value === undefined) return states.some((state) => state.value === undefined || state.expiresAt <= ended);
    return states.some((state) => state.value === value && state.expiresAt > began);
  }

  show(key: string): string {
    return this.#of(key)
      .map(({ value, expiresAt }) => `${value ?? "nothing"}${Number.isFinite(expiresAt) ? ` until ${expiresAt}` : ""}`)
      .join(", ");
  }

  #of(key: string): State[] {
    return this.#states.get(key) as State[];
  }
}
