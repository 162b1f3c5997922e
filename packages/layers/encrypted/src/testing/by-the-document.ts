import assert from "node:assert/strict";
import { gcm } from "@noble/ciphers/aes.js";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { blake2b } from "@noble/hashes/blake2.js";

// A second reader and writer of the format, from docs/formats.md alone and with other implementations of the algorithms.
// Nothing of the package is used.

/** What reader and writer agreed on. */
export interface Agreed {
  /** Keys by id. */
  readonly keys: Readonly<Record<string, Uint8Array>>;
  readonly context: string;
  /** The name under which the value is stored. */
  readonly name: string;
}

/** What a writer chooses. */
export interface Choices {
  readonly keyId: string;
  readonly suite: number;
  /** By default what the plain length says. */
  readonly chunkBits?: number;
  readonly dataKey: Uint8Array;
  readonly nonce: Uint8Array;
}

const common = Uint8Array.from([0x89, ...Buffer.from("STW"), 9, ...Buffer.from("encrypted"), 1]);
const ascii = (text: string): Uint8Array => Buffer.from(text, "ascii");
const utf8 = (text: string): Uint8Array => Buffer.from(text, "utf8");

export function writeByTheDocument(plain: Uint8Array, agreed: Agreed, choices: Choices): Uint8Array<ArrayBuffer> {
  const { keyId, suite, chunkBits = plain.byteLength <= 2 ** 20 ? 16 : 20, dataKey, nonce } = choices;
  const key = agreed.keys[keyId];
  assert.ok(key);
  const id = Buffer.alloc(32);
  id.set(ascii(keyId));
  const prefix = Buffer.concat([common, Uint8Array.from([suite, chunkBits, keyId.length]), id, commitment(key)]);
  const wrapped = xchacha20poly1305(key, nonce, additional(prefix, agreed)).encrypt(dataKey);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < plain.byteLength || at === 0; at += 2 ** chunkBits) {
    const last = at + 2 ** chunkBits >= plain.byteLength;
    chunks.push(cipher(suite, dataKey, chunks.length, last).encrypt(plain.subarray(at, at + 2 ** chunkBits)));
  }
  const end = Buffer.alloc(4);
  end.writeUInt32LE(plain.byteLength % 2 ** 32);
  return new Uint8Array(Buffer.concat([prefix, nonce, wrapped, ...chunks, end]));
}

/** The code of the error that the document asks for, in its order. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export function readByTheDocument(stored: Uint8Array, agreed: Agreed): Uint8Array {
  if (!equal(stored.subarray(0, 14), common.subarray(0, 14)) || stored.byteLength < 15) throw new Refused("corrupt");
  if (stored[14] !== 1) throw new Refused("unsupported");
  if (stored.byteLength < 154) throw new Refused("corrupt");
  const idField = stored.subarray(17, 50);
  const known = Object.entries(agreed.keys).find(([id]) => {
    const field = Buffer.alloc(33);
    field[0] = id.length;
    field.set(ascii(id), 1);
    return equal(field, idField);
  });
  if (known === undefined) throw new Refused("unknown-key");
  const [, key] = known;
  if (!equal(stored.subarray(50, 82), commitment(key))) throw new Refused("wrong-key");
  const bound = additional(stored.subarray(0, 82), agreed);
  const dataKey = authentic(() => xchacha20poly1305(key, stored.subarray(82, 106), bound).decrypt(stored.subarray(106, 154)));
  const [suite = 0, chunkBits = 0] = stored.subarray(15, 17);
  if (![1, 2].includes(suite) || ![16, 20].includes(chunkBits)) throw new Refused("unsupported");

  const chunkSize = 2 ** chunkBits;
  const rest = stored.byteLength - 158;
  const count = Math.ceil(rest / (chunkSize + 16));
  const size = rest - 16 * count;
  const remainder = rest % (chunkSize + 16);
  const cannotBe =
    size < 0 ||
    (size === 0 && count > 1) ||
    (count > 1 && remainder > 0 && remainder <= 16) ||
    (size <= 2 ** 20 ? 16 : 20) !== chunkBits ||
    Buffer.from(stored.subarray(-4)).readUInt32LE() !== size % 2 ** 32;
  if (cannotBe) throw new Refused("corrupt");
  const plain: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const at = 154 + index * (chunkSize + 16);
    const sealed = stored.subarray(at, Math.min(at + chunkSize + 16, stored.byteLength - 4));
    plain.push(authentic(() => cipher(suite, dataKey, index, index === count - 1).decrypt(sealed)));
  }
  return Buffer.concat(plain);
}

function cipher(suite: number, dataKey: Uint8Array, index: number, last: boolean) {
  const nonce = Buffer.alloc(suite === 1 ? 24 : 12);
  nonce.writeUInt32LE(index);
  nonce[4] = last ? 1 : 0;
  return suite === 1 ? xchacha20poly1305(dataKey, nonce) : gcm(dataKey, nonce);
}

function commitment(key: Uint8Array): Uint8Array {
  return blake2b(ascii("stowage encrypted key commitment"), { key, dkLen: 32 });
}

function additional(prefix: Uint8Array, { context, name }: Agreed): Uint8Array {
  return Buffer.concat([prefix, counted(utf8(context)), counted(utf8(name))]);
}

function counted(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.byteLength);
  return Buffer.concat([length, bytes]);
}

function authentic(decrypt: () => Uint8Array): Uint8Array {
  try {
    return decrypt();
  } catch {
    throw new Refused("tampered");
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
