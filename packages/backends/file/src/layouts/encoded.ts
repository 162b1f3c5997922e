import { isKey } from "@stowage/core";
import type { Folder, Layout } from "./layout.ts";
import { inside } from "./layout.ts";

/**
 * Every key has a path whose names are portable: of lower-case ASCII letters, digits, `-`, `_`, inner dots, and `%` with
 * two hexadecimal digits for every other byte of UTF-8. A folder's name ends in `+`, so that the key `a` is beside the
 * key `a/b`. A part of 80 bytes or more goes into folders of 80 bytes each, whose names end in `~`. An empty name is `%`.
 *
 * Texts are UTF-8 with one character per byte, so that comparing them compares bytes, and a part may be cut anywhere.
 */
export const encodedLayout: Layout = {
  name: "encoded",
  anyKey: true,
  pathOf(key) {
    const { path, rest } = descend(toBytes(key));
    return inside(path, leafName(rest));
  },
  textOf: toBytes,
  keyOf(text) {
    const key = Buffer.from(text, "latin1").toString("utf8");
    return isKey(key) && toBytes(key) === text ? key : undefined;
  },
  folderOf(text): Folder {
    const { path, rest } = descend(text);
    return { path, text: text.slice(0, text.length - rest.length) };
  },
  itemOf(name, isFolder) {
    const item = isFolder ? folderItem(name) : decode(name);
    return item !== undefined && isItem(item, isFolder) && this.nameOf(item) === name ? item : undefined;
  },
  nameOf(item) {
    if (item.endsWith("/")) return `${encode(item.slice(0, -1))}+`;
    return item.length === pieceSize ? `${encode(item)}~` : leafName(item);
  },
  isFolder: (item) => item.endsWith("/") || item.length === pieceSize,
};

/** Bytes of a part that one name takes; three times as many characters at most, which every file system can hold. */
const pieceSize = 80;

/** Whether an item of this length can be: a piece, or what is left after all pieces. */
function isItem(item: string, isFolder: boolean): boolean {
  const isPart = item.endsWith("/");
  const size = isPart ? item.length - 1 : item.length;
  return size < pieceSize ? isPart === isFolder : size === pieceSize && isFolder && !isPart;
}

/** The folders of a text, and what is left for the last name: fewer than 80 bytes. */
function descend(text: string): { readonly path: string; readonly rest: string } {
  const parts = text.split("/");
  let path = "";
  let rest = "";
  for (const [index, part] of parts.entries()) {
    rest = part;
    for (; rest.length >= pieceSize; rest = rest.slice(pieceSize)) path = inside(path, `${encode(rest.slice(0, pieceSize))}~`);
    if (index < parts.length - 1) path = inside(path, `${encode(rest)}+`);
  }
  return { path, rest };
}

const leafName = (rest: string): string => (rest === "" ? "%" : encode(rest));

function folderItem(name: string): string | undefined {
  const text = decode(name.slice(0, -1), "");
  return text === undefined || name.endsWith("~") ? text : `${text}/`;
}

const plain = /^[a-z0-9_-](?:[a-z0-9._-]*[a-z0-9_-])?$/;
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/;

/** A name that stands for these bytes alone, on every file system. */
function encode(bytes: string): string {
  if (plain.test(bytes) && !device.test(bytes)) return bytes;
  const last = bytes.length - 1;
  let name = "";
  for (let index = 0; index <= last; index++) {
    const byte = bytes[index]!;
    const asItIs = kept.has(byte) ? index > 0 || !device.test(bytes) : byte === "." && index > 0 && index < last;
    name += asItIs ? byte : escaped(bytes.charCodeAt(index));
  }
  return name;
}

const kept: ReadonlySet<string> = new Set("abcdefghijklmnopqrstuvwxyz0123456789-_");

const escaped = (byte: number): string => `%${byte.toString(16).padStart(2, "0")}`;

/** The bytes of a name; what they would be encoded to must still be compared with it. */
function decode(name: string, empty: string | undefined = name === "%" ? "" : undefined): string | undefined {
  if (name === "" || name === "%") return empty;
  return name.replace(/%([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

const beyondAscii = /[^\0-\x7f]/;

function toBytes(text: string): string {
  return !beyondAscii.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}
