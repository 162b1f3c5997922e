import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Bytes } from "@stowage/core";
import type { SuiteNumber } from "./format.ts";
import { openXChaCha, sealXChaCha, tagSize } from "./sodium.ts";

export type SuiteName = "xchacha20-poly1305" | "aes-256-gcm";

/** An algorithm for chunks. `nonce` has 24 bytes; one that needs fewer takes the first. */
export interface Suite {
  readonly name: SuiteName;
  readonly number: SuiteNumber;
  /** Encrypts a chunk into `output`, which has room for the tag. */
  seal(output: Uint8Array, chunk: Uint8Array, nonce: Uint8Array, key: Uint8Array): void;
  /** Encrypts a chunk into memory of its own, in pieces. */
  sealApart(chunk: Uint8Array, nonce: Uint8Array, key: Uint8Array): Bytes[];
  /** Decrypts a chunk into `output`. Answers whether the tag was right; what is in `output` where it was not must go nowhere. */
  open(output: Uint8Array, sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean;
  /** Decrypts a chunk into memory of its own; `undefined` where the tag is wrong. */
  openApart(sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): Bytes | undefined;
}

export const xchacha: Suite = {
  name: "xchacha20-poly1305",
  number: 1,
  seal: (output, chunk, nonce, key) => sealXChaCha(output, chunk, null, nonce, key),
  sealApart(chunk, nonce, key) {
    const sealed = new Uint8Array(chunk.byteLength + tagSize);
    sealXChaCha(sealed, chunk, null, nonce, key);
    return [sealed];
  },
  open: (output, sealed, nonce, key) => openXChaCha(output, sealed, null, nonce, key),
  openApart(sealed, nonce, key) {
    const output = new Uint8Array(sealed.byteLength - tagSize);
    return openXChaCha(output, sealed, null, nonce, key) ? output : undefined;
  },
};

const gcmNonceSize = 12;
const gcmOptions = { authTagLength: tagSize };

export const gcm: Suite = {
  name: "aes-256-gcm",
  number: 2,
  seal(output, chunk, nonce, key) {
    const cipher = createCipheriv("aes-256-gcm", key, nonce.subarray(0, gcmNonceSize), gcmOptions);
    moveInto(output, cipher.update(chunk));
    cipher.final();
    output.set(cipher.getAuthTag(), chunk.byteLength);
  },
  sealApart(chunk, nonce, key) {
    const cipher = createCipheriv("aes-256-gcm", key, nonce.subarray(0, gcmNonceSize), gcmOptions);
    const sealed = plainBytes(cipher.update(chunk));
    cipher.final();
    return [sealed, plainBytes(cipher.getAuthTag())];
  },
  open(output, sealed, nonce, key) {
    const decrypted = decryptGcm(sealed, nonce, key);
    if (decrypted === undefined) return false;
    moveInto(output, decrypted);
    return true;
  },
  openApart(sealed, nonce, key) {
    const decrypted = decryptGcm(sealed, nonce, key);
    return decrypted && plainBytes(decrypted);
  },
};

function decryptGcm(sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): Buffer | undefined {
  const size = sealed.byteLength - tagSize;
  const decipher = createDecipheriv("aes-256-gcm", key, nonce.subarray(0, gcmNonceSize), gcmOptions);
  decipher.setAuthTag(sealed.subarray(size));
  const decrypted = decipher.update(sealed.subarray(0, size));
  try {
    decipher.final();
  } catch {
    decrypted.fill(0);
    return undefined;
  }
  return decrypted;
}

/** Copies into `output`, and frees what is nobody else's at once: the next chunk finds warm memory, the garbage collector less to do. */
function moveInto(output: Uint8Array, buffer: Buffer): void {
  output.set(buffer);
  if (buffer.byteLength === buffer.buffer.byteLength) (buffer.buffer as ArrayBuffer).transfer(0);
}

/** The same memory as a plain `Uint8Array`, where it is nobody else's. */
function plainBytes(buffer: Buffer): Bytes {
  return buffer.byteLength === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer as ArrayBuffer) : new Uint8Array(buffer);
}

/** The suite of a number in a header. */
export function suiteByNumber(number: number): Suite | undefined {
  return number === xchacha.number ? xchacha : number === gcm.number ? gcm : undefined;
}

/** From this size on AES-GCM is faster, where the processor has instructions for it: the call costs more, the bytes less. */
export const largeFrom: number = 32 * 1024;

/** How the suite for a value of a size is chosen. */
export function suiteChoice(name: SuiteName | "auto"): (size: number) => Suite {
  if (name === "auto") return (size) => (size >= largeFrom && hasFastAes() ? gcm : xchacha);
  const suite = name === gcm.name ? gcm : xchacha;
  return () => suite;
}

let fastAes: boolean | undefined;

/**
 * Whether the processor has instructions for AES. No interface tells that on every system, so it is tried, once for the
 * process and mostly in about a millisecond.
 */
export function hasFastAes(): boolean {
  return (fastAes ??= tryAes(timeOf));
}

const runs = 8;

/**
 * Whether AES-GCM keeps up with XChaCha20-Poly1305. With instructions it takes about half as long, without them several
 * times as long. Whatever else the machine does makes a run longer and never shorter, so one good run settles it.
 */
export function tryAes(time: (suite: Suite) => number): boolean {
  let [best, limit] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let run = 0; run < runs; run++) {
    limit = Math.min(limit, 1.5 * time(xchacha));
    best = Math.min(best, time(gcm));
    if (run > 0 && best < limit) return true; // in the first, both were loaded
  }
  return false;
}

function timeOf(suite: Suite): number {
  const chunk = new Uint8Array(128 * 1024);
  const sealed = new Uint8Array(chunk.byteLength + tagSize);
  const [nonce, key] = [new Uint8Array(24), new Uint8Array(32)];
  const start = performance.now();
  suite.seal(sealed, chunk, nonce, key);
  return performance.now() - start;
}
