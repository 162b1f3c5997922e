import * as native from "sodium-native";
import type { Bytes } from "@stowage/core";

/** What is used of sodium-native. Its published types ask for a `Buffer` where it takes any view. */
interface Sodium {
  crypto_aead_xchacha20poly1305_ietf_encrypt(
    output: Uint8Array,
    message: Uint8Array,
    additional: Uint8Array | null,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): void;
  crypto_aead_xchacha20poly1305_ietf_decrypt(
    output: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    additional: Uint8Array | null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): void;
  crypto_generichash(output: Uint8Array, input: Uint8Array, key: Uint8Array): void;
  crypto_pwhash_async(
    output: Uint8Array,
    passphrase: Uint8Array,
    salt: Uint8Array,
    passes: number,
    memory: number,
    algorithm: number,
    callback: (error: Error | null) => void,
  ): void;
}

const sodium = native as unknown as Sodium;

/** Bytes that authentication adds, in every algorithm here. */
export const tagSize = 16;

/** Encrypts into `output`, which has 16 bytes more than the message. */
export function sealXChaCha(
  output: Uint8Array,
  message: Uint8Array,
  additional: Uint8Array | null,
  nonce: Uint8Array,
  key: Uint8Array,
): void {
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(output, message, additional, null, nonce, key);
}

/** Decrypts into `output`, which has 16 bytes less than what is sealed. Answers whether the tag was right; nothing is written where it was not. */
export function openXChaCha(
  output: Uint8Array,
  sealed: Uint8Array,
  additional: Uint8Array | null,
  nonce: Uint8Array,
  key: Uint8Array,
): boolean {
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(output, null, sealed, additional, nonce, key);
    return true;
  } catch {
    return false;
  }
}

/** BLAKE2b of 32 bytes, keyed. */
export function keyedHash(input: Uint8Array, key: Uint8Array): Bytes {
  const output = new Uint8Array(32);
  sodium.crypto_generichash(output, input, key);
  return output;
}

/** Bytes of the salt of `argon2id`. */
export const saltSize = 16;

/** A key of 32 bytes from a passphrase, computed on the thread pool. */
export function argon2id(passphrase: Uint8Array, salt: Uint8Array, memory: number, passes: number): Promise<Bytes> {
  const algorithm = 2; // Argon2id 1.3, one lane
  const output = new Uint8Array(32);
  return new Promise((resolve, reject) => {
    sodium.crypto_pwhash_async(output, passphrase, salt, passes, memory, algorithm, (error) => {
      if (error === null || error === undefined) resolve(output);
      else reject(error);
    });
  });
}
