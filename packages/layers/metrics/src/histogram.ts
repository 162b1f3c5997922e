/** Buckets of one power of two. */
const steps = 16;

/** Durations under this, in milliseconds, count as none: 2^-12, a quarter of a microsecond. */
export const shortest: number = 2 ** -12;

/** Durations from this on, in milliseconds, count as this: 2^22, over an hour. */
export const longest: number = 2 ** 22;

/** What a quantile may be off by, as a share of the exact one. */
export const relativeError: number = 1 / (2 * steps);

/** One for what is too short, `steps` for each power of two, and one for what is too long. */
const size = (Math.log2(longest) - Math.log2(shortest)) * steps + 2;

/**
 * Durations in buckets that are a sixteenth of a power of two wide: any quantile is within 3.2 % of the exact one, in 4 KiB
 * however many there are. Count and sum are exact.
 */
export class Histogram {
  count = 0;
  /** Milliseconds of all of them. */
  sum = 0;
  /** How many there are in each bucket. */
  readonly buckets: Float64Array = new Float64Array(size);

  /** @param duration milliseconds; less than none, where a clock was set back, is none */
  record(duration: number): void {
    this.count++;
    if (duration > 0) this.sum += duration;
    const bucket = bucketOf(duration);
    this.buckets[bucket] = this.buckets[bucket]! + 1;
  }

  /** Takes in what another one has. */
  add(other: Histogram): void {
    this.count += other.count;
    this.sum += other.sum;
    for (let bucket = 0; bucket < size; bucket++) this.buckets[bucket] = this.buckets[bucket]! + other.buckets[bucket]!;
  }

  /** The least duration that this share of all does not exceed; 0 where there is none. */
  quantile(share: number): number {
    let rest = Math.max(Math.ceil(this.count * share), 1);
    for (let bucket = 0; bucket < size; bucket++) {
      rest -= this.buckets[bucket]!;
      if (rest <= 0) return middleOf(bucket);
    }
    return 0;
  }
}

/** The duration in milliseconds that stands for all in a bucket: its middle. */
export function middleOf(bucket: number): number {
  if (bucket === 0) return 0;
  if (bucket === size - 1) return longest;
  const step = bucket - 1;
  const power = shortest * 2 ** Math.floor(step / steps);
  return power * (1 + ((step % steps) + 0.5) / steps);
}

/**
 * The exponent of a floating point number and the first four bits behind its point are the number of its bucket already:
 * they are the upper 16 bits, the sign aside.
 */
function bucketOf(duration: number): number {
  if (!(duration >= shortest)) return 0;
  if (duration >= longest) return size - 1;
  view.setFloat64(0, duration);
  return view.getUint16(0) - firstBits + 1;
}

const view = new DataView(new ArrayBuffer(8));
view.setFloat64(0, shortest);
const firstBits = view.getUint16(0);
