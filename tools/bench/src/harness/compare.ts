import { measure } from "mitata";

/** One way to do the work that is compared. */
export interface Contender {
  readonly name: string;
  /** Operations in one run; figures are per operation. */
  readonly operations: number;
  /** Not measured; before each round. */
  readonly prepare?: () => Promise<void>;
  readonly run: () => Promise<void>;
}

export interface Rounds {
  readonly rounds: number;
  /** Milliseconds per contender and round, filled with as many runs as fit; 0: one run. */
  readonly budget: number;
}

/**
 * Measures contenders in turns, in one direction and back (A B C, C B A), so that whatever else the machine does hits all
 * of them. What is compared is compared inside a round; the median over the rounds is the figure.
 */
export async function compare(contenders: readonly Contender[], { rounds, budget }: Rounds): Promise<Comparison> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      await contender.prepare?.();
      times.get(contender.name)!.push((await timeOf(contender, budget)) / contender.operations);
    }
  }
  return new Comparison(times);
}

/** Nanoseconds per operation, by contender and round. */
export class Comparison {
  readonly #times: ReadonlyMap<string, readonly number[]>;

  constructor(times: ReadonlyMap<string, readonly number[]>) {
    this.#times = times;
  }

  /** Nanoseconds that one operation takes. */
  nanoseconds(name: string): number {
    return median(this.#of(name));
  }

  /** How many times as fast as another; above 1 is faster. */
  ratio(name: string, limit: string): number {
    return median(this.#of(name).map((time, round) => this.#of(limit)[round]! / time));
  }

  /** Nanoseconds that one operation takes longer than another. */
  extra(name: string, limit: string): number {
    return median(this.#of(name).map((time, round) => time - this.#of(limit)[round]!));
  }

  #of(name: string): readonly number[] {
    const times = this.#times.get(name);
    if (times === undefined) throw new Error(`Nothing called "${name}" was compared.`);
    return times;
  }
}

/** A copy of a function that is compiled on its own, so that what one contender calls does not slow the next one down. */
export function ownCopy<F extends (...args: never[]) => unknown>(code: F): F {
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call
  return new Function(`return ${code.toString()}`)() as F;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function timeOf(contender: Contender, budget: number): Promise<number> {
  if (budget > 0) {
    const run = (): Promise<void> => contender.run();
    const { p50 } = await measure(run, { min_cpu_time: budget * 1e6, min_samples: 2, warmup_samples: 1 });
    return p50;
  }
  globalThis.gc?.();
  const start = performance.now();
  await contender.run();
  return (performance.now() - start) * 1e6;
}
