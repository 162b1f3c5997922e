import { randomFrom } from "./random.ts";

/** Text like that of documents and logs, which zstd-3 makes about four times smaller; the same in every run. */
export function textOf(size: number): Uint8Array<ArrayBuffer> {
  const random = randomFrom(7);
  const words = Array.from({ length: 6000 }, () => encoder.encode(`${word(random)} `));
  const phrases = Array.from({ length: 3000 }, () => phrase(words, random));
  const text = new Uint8Array(size);
  for (let length = 0; length < size;) {
    const next = random() < 0.3 ? phrase(words, random) : phrases[Math.floor(phrases.length * random() ** 3)]!;
    text.set(next.subarray(0, size - length), length);
    length += next.byteLength;
  }
  return text;
}

/** A text over and over, in chunks of 256 KiB. It repeats too late for a codec to notice. */
export async function* textStream(size: number, text: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  for (let sent = 0; sent < size;) {
    const start = sent % text.byteLength;
    const chunk = text.subarray(start, Math.min(start + 262_144, start + size - sent)); // views: the source itself leaves no garbage
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

const encoder = new TextEncoder();

/** Some words, a number, the end of a line. */
function phrase(words: readonly Uint8Array[], random: () => number): Uint8Array {
  const count = 2 + Math.floor(random() * 6);
  const parts = Array.from({ length: count }, () => words[Math.floor(words.length * random() ** 3)]!);
  const end = random() < 0.2 ? `${Math.floor(random() * 1e5)}\n` : ", ";
  return Buffer.concat([...parts, encoder.encode(end)]);
}

function word(random: () => number): string {
  const letters = "etaoinshrdlucmfwypvbgkjqxz";
  const length = 2 + Math.floor(random() * 8);
  return Array.from({ length }, () => letters[Math.floor(letters.length * random() ** 2)]!).join("");
}
