/** What a client did to one key, and when: by the number of what happened before. */
export interface Operation {
  readonly key: string;
  /** The text that was put; `undefined` for a delete, and for what was there at the beginning: nothing. */
  readonly value: string | undefined;
  readonly expiresAt: number | undefined;
  readonly start: number;
  /** When it was acknowledged; Infinity where it never was, and so may take effect at any time. */
  end: number;
  /** It is known to have had no effect. */
  void: boolean;
}

export interface Read {
  readonly key: string;
  readonly value: string | undefined;
  readonly start: number;
  readonly end: number;
  readonly now: number;
}

/** What was written and read, and whether it goes together. */
export class History {
  readonly #operations: Operation[] = [];
  #count = 0;

  tick(): number {
    return ++this.#count;
  }

  begin(key: string, value: string | undefined, expiresAt?: number): Operation {
    const operation: Operation = { key, value, expiresAt, start: this.tick(), end: Infinity, void: false };
    this.#operations.push(operation);
    return operation;
  }

  /**
   * Why a value cannot be there, or `undefined` where it can: it must come from an operation after whose acknowledgement
   * no other one began and was acknowledged before the value was asked for.
   */
  contradiction({ key, value, start, end, now }: Read): string | undefined {
    const beginning: Operation = { key, value: undefined, expiresAt: undefined, start: 0, end: 0, void: false };
    const all = [beginning, ...this.#operations.filter((each) => each.key === key && !each.void)];
    const sources = all.filter((each) => each.start < end && isSource(each, value, now));
    if (sources.length === 0) return `${show(value)} under "${key}" was never put there`;
    const isReplaced = (source: Operation): Operation | undefined =>
      all.find((other) => other !== source && other.start > source.end && other.end < start);
    if (sources.some((source) => isReplaced(source) === undefined)) return undefined;
    const by = isReplaced(sources[0]!)!;
    return `${show(value)} under "${key}" was replaced by ${show(by.value)}, which was acknowledged`;
  }
}

function isSource({ value, expiresAt }: Operation, found: string | undefined, now: number): boolean {
  if (value === found) return true;
  return found === undefined && expiresAt !== undefined && expiresAt - fastest <= now;
}

/** For a writer whose clock is ahead, that much is over already. */
export const fastest = 7_000;

const show = (value: string | undefined): string => (value === undefined ? "nothing" : JSON.stringify(value));
