/** Bits of the mantissa that tell bins apart: eight bins between a number and its double. */
const detail = 3;
/** The exponents that are told apart, as a 32-bit float has them: from 1/128 ms to 2^22 ms, about 70 minutes. */
const lowest = 127 - 7;
const highest = 127 + 22;
const bins = (highest - lowest) << detail;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Milliseconds counted in bins that grow with the number, so a percentile is at most 6 % off whatever the scale. */
export class Histogram {
  readonly #counts = new Uint32Array(bins);
  #count = 0;

  add(duration: number): void {
    const bin = binOf(duration);
    this.#counts[bin] = (this.#counts[bin] as number) + 1;
    this.#count++;
  }

  subtract(other: Histogram): void {
    if (other.#count === 0) return;
    for (let bin = 0; bin < bins; bin++) this.#counts[bin] = (this.#counts[bin] as number) - (other.#counts[bin] as number);
    this.#count -= other.#count;
  }

  clear(): void {
    if (this.#count === 0) return;
    this.#counts.fill(0);
    this.#count = 0;
  }

  /** The middle of the bin that this share of the numbers, above 0 and up to 1, reaches into; `undefined` where there are none. */
  percentile(share: number): number | undefined {
    if (this.#count === 0) return undefined;
    let wanted = Math.ceil(share * this.#count);
    let bin = 0;
    while ((wanted -= this.#counts[bin] as number) > 0) bin++;
    return (edge(bin) + edge(bin + 1)) / 2;
  }
}

/** A 32-bit float begins with its exponent and the first bits of its mantissa: together they are the number of a bin. */
function binOf(duration: number): number {
  float[0] = duration > 0 ? duration : 0;
  const bin = ((bits[0] as number) >>> (23 - detail)) - (lowest << detail);
  return Math.min(Math.max(bin, 0), bins - 1);
}

/** Where a bin begins. */
function edge(bin: number): number {
  bits[0] = (bin + (lowest << detail)) << (23 - detail);
  return float[0] as number;
}
