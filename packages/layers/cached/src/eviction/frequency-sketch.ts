/** Counters for each key are taken from four rows; the least of them is the estimate. */
const rows = 4;
const mostFrequent = 15;
/** Counts that are halved at a time. */
const halvedAtOnce = 64;

/**
 * How often a key was seen lately, about: a count-min sketch of four-bit counts (kept in bytes), all halved when it has
 * seen ten times as many keys as it has columns (Einziger and others, "TinyLFU", 2015). They are halved by and by, with
 * each key that is seen from then on, so that none waits for all of them.
 */
export class FrequencySketch {
  #counts = new Uint8Array(0);
  #mask = 0;
  #seen = 0;
  /** Counts from the first one on that are still to be halved. */
  #unhalved = 0;

  /** Makes room for about so many keys. Counts are lost when it grows. */
  reserve(keys: number): void {
    let columns = Math.max(64, this.#counts.length / rows);
    while (columns < keys) columns *= 2;
    if (columns * rows <= this.#counts.length) return;
    this.#counts = new Uint8Array(columns * rows);
    this.#mask = columns - 1;
    this.#seen = this.#unhalved = 0;
  }

  see(key: string): void {
    let hash = hashOf(key);
    let counted = false;
    for (let row = 0; row < rows; row++) {
      const place = (hash & this.#mask) * rows + row;
      if ((this.#counts[place] as number) < mostFrequent) {
        (this.#counts[place] as number)++;
        counted = true;
      }
      hash = mix(hash + row + 1);
    }
    if (counted && ++this.#seen >= 10 * (this.#mask + 1)) {
      this.#unhalved = this.#counts.length;
      this.#seen >>>= 1;
    }
    if (this.#unhalved > 0) this.#halveSome();
  }

  estimate(key: string): number {
    let hash = hashOf(key);
    let least = mostFrequent;
    for (let row = 0; row < rows; row++) {
      least = Math.min(least, this.#counts[(hash & this.#mask) * rows + row] as number);
      hash = mix(hash + row + 1);
    }
    return least;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#seen = this.#unhalved = 0;
  }

  #halveSome(): void {
    const end = this.#unhalved;
    this.#unhalved = Math.max(0, end - halvedAtOnce);
    for (let place = this.#unhalved; place < end; place++) this.#counts[place] = (this.#counts[place] as number) >>> 1;
  }
}

/** FNV-1a over the UTF-16 units, mixed. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return mix(hash);
}

/** The finalizer of MurmurHash3. */
function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
