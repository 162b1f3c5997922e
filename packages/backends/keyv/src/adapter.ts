/**
 * What is used of a Keyv storage adapter: one of version 6, which takes an absolute expiry and says so in its capabilities,
 * or one of version 5, which takes a `ttl`. A plain `Map` is one too.
 */
export interface KeyvAdapter {
  readonly capabilities?: { readonly expires?: boolean | undefined } | undefined;
  /** Where an adapter has it, it tells errors by throwing them, and not as a miss. */
  throwOnErrors?: boolean | undefined;
  get(key: string): unknown;
  set(key: string, value: string, expires?: number): unknown;
  delete(key: string): unknown;
  getMany?(keys: string[]): unknown;
  deleteMany?(keys: string[]): unknown;
  iterator?(): AsyncIterable<unknown>;
  disconnect?(): unknown;
  on?(event: "error", listener: (error: unknown) => void): unknown;
  off?(event: "error", listener: (error: unknown) => void): unknown;
}

/** The adapter's part of the work: every failure rejects, whichever way the adapter tells it. */
export class Port {
  readonly #adapter: KeyvAdapter;
  readonly #errors: unknown[] = [];
  #failures = 0;
  readonly #listen = (error: unknown): void => {
    this.#failures++;
    this.#errors[0] = error;
  };

  constructor(adapter: KeyvAdapter) {
    this.#adapter = adapter;
    if ("throwOnErrors" in adapter) adapter.throwOnErrors = true;
    // An error without a listener would end the process, also one of a connection that nobody uses at the moment.
    adapter.on?.("error", this.#listen);
  }

  /** Errors that the adapter has told of. */
  get failures(): number {
    return this.#failures;
  }

  get canIterate(): boolean {
    return this.#adapter instanceof Map || typeof this.#adapter.iterator === "function";
  }

  async get(key: string): Promise<string | undefined> {
    return textOf(await this.#watch(() => this.#adapter.get(key), isNothing));
  }

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    if (this.#adapter.getMany === undefined) return await Promise.all(keys.map((key) => this.get(key)));
    const found = (await this.#watch(() => this.#adapter.getMany!([...keys]), someAreMissing)) as readonly unknown[];
    return keys.map((_, index) => textOf(found[index]));
  }

  /** An absolute expiry, for an adapter of version 5 turned into the time that is left. Stores know whole milliseconds. */
  async set(key: string, value: string, expires: number | undefined): Promise<void> {
    const takesMoment = this.#adapter.capabilities?.expires === true;
    const until = expires === undefined ? undefined : Math.ceil(takesMoment ? expires : Math.max(expires - Date.now(), 1));
    const done = await this.#watch(() => this.#adapter.set(key, value, until), isNotTrue);
    if (done === false) throw this.#errors[0] ?? new Error("The adapter answered false.");
  }

  /** That nothing was there to delete is no failure, unless the adapter told of one meanwhile. */
  async delete(key: string): Promise<void> {
    await this.#watch(() => this.#adapter.delete(key), isNotTrue);
  }

  /** All keys and values, of everybody who uses the adapter. */
  async *entries(): AsyncGenerator<readonly [key: string, value: string | undefined]> {
    const before = this.#failures;
    const iterable = this.#adapter instanceof Map ? this.#adapter.entries() : this.#adapter.iterator!();
    for await (const entry of iterable as AsyncIterable<readonly [string, unknown]>) yield [entry[0], textOf(entry[1])];
    if (this.#failures > before) throw this.#errors[0];
  }

  /** Lets go of the adapter; and of its connections, where it is ours. */
  async close(disconnect: boolean): Promise<void> {
    if (disconnect) await this.#adapter.disconnect?.();
    this.#adapter.off?.("error", this.#listen);
  }

  /**
   * Adapters hide failures: they tell them as events, and answer as if nothing were there. So an answer that says nothing is
   * believed only where no error was told while it was on its way.
   */
  async #watch(call: () => unknown, saysNothing: (answer: unknown) => boolean): Promise<unknown> {
    const before = this.#failures;
    const answer = await call();
    if (this.#failures > before && saysNothing(answer)) throw this.#errors[0];
    return answer;
  }
}

const isNothing = (answer: unknown): boolean => answer === undefined || answer === null;
const isNotTrue = (answer: unknown): boolean => answer !== true;
const someAreMissing = (answer: unknown): boolean => !Array.isArray(answer) || answer.some(isNothing);

/** Some adapters give the value alone, some of version 5 an object around it. */
function textOf(answer: unknown): string | undefined {
  if (typeof answer === "object" && answer !== null && "value" in answer) return textOf(answer.value);
  if (isNothing(answer)) return undefined;
  if (typeof answer === "string") return answer;
  return answer instanceof Uint8Array ? Buffer.from(answer).toString() : "";
}
