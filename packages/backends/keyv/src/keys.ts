/** Letters that every adapter takes as they are, and that none uses between a namespace and a key. */
const plain = /[A-Za-z0-9._/-]/;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A text of plain letters only: every other byte of its UTF-8 is a percent sign and two digits. */
export function encodeText(text: string): string {
  let encoded = "";
  for (const byte of encoder.encode(text)) {
    const letter = String.fromCharCode(byte);
    encoded += byte < 0x80 && plain.test(letter) ? letter : `%${byte.toString(16).padStart(2, "0")}`;
  }
  return encoded;
}

/** The text; `undefined` where nothing is encoded like this. */
export function decodeText(encoded: string): string | undefined {
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length; at++) {
    if (encoded[at] !== "%") bytes.push(encoded.charCodeAt(at));
    else {
      bytes.push(Number.parseInt(encoded.slice(at + 1, at + 3), 16));
      at += 2;
    }
  }
  try {
    const text = decoder.decode(Uint8Array.from(bytes));
    return encodeText(text) === encoded ? text : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What stands before the keys of a namespace: its length and itself, so that no namespace is the beginning of another one's
 * keys.
 */
export function prefixOf(namespace: string): string {
  const encoded = encodeText(namespace);
  return encoded === "" ? "0:" : `${encoded.length}:${encoded}:`;
}
