/** Text like that of logs and documents, which compresses to about a quarter; the same in every run. */
export function textOf(size: number): Uint8Array<ArrayBuffer> {
  const random = randomFrom(7);
  const words = Array.from({ length: 8192 }, () => word(random));
  const parts: string[] = [];
  for (let length = 0; length < size;) {
    const next = random() < 0.06 ? `${Math.floor(random() * 1e6)}\n` : `${words[Math.floor(words.length * random() ** 3)]!} `;
    parts.push(next);
    length += next.length;
  }
  return new TextEncoder().encode(parts.join("").slice(0, size));
}

/** The same text over and over, in chunks of 256 KiB. It repeats too late for a codec to notice. */
export async function* textStream(size: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const text = textOf(Math.min(size, 16 * 2 ** 20));
  for (let sent = 0; sent < size;) {
    const start = sent % text.byteLength;
    const chunk = text.slice(start, Math.min(start + 262_144, start + size - sent));
    sent += chunk.byteLength;
    yield chunk;
  }
}

/** Reads a stream to its end and counts its bytes. */
export async function drain(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of stream) size += chunk.byteLength;
  return size;
}

function word(random: () => number): string {
  const letters = "etaoinshrdlucmfwypvbgkjqxz";
  const length = 2 + Math.floor(random() * 8);
  return Array.from({ length }, () => letters[Math.floor(letters.length * random() ** 2)]!).join("");
}

/** A small generator (mulberry32), so that the data is the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
