/** Memory for the nonce of a chunk. */
export const roomForNonce = (): Uint8Array => new Uint8Array(24);

/** Chunks that the counter can tell apart: 4 PiB of chunks of 1 MiB. */
export const mostChunks: number = 2 ** 32;

/** The nonce of a chunk. Every data key has its own chunks, and counts them from 0. */
export function setNonce(nonce: Uint8Array, index: number, last: boolean): void {
  nonce[0] = index & 0xff;
  nonce[1] = (index >>> 8) & 0xff;
  nonce[2] = (index >>> 16) & 0xff;
  nonce[3] = index >>> 24;
  nonce[4] = last ? 1 : 0;
}
