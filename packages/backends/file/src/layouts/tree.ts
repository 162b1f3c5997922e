import { byteLength, isKey, maxKeySize } from "@stowage/core";
import { invalidKey } from "../errors.ts";
import type { Folder, Layout } from "./layout.ts";
import { reservedFolder } from "./layout.ts";

/** The longest name of common file systems, in bytes. */
const maxNameSize = 255;

/** A key of at most this many UTF-16 units has no name over the limit. */
const surelyShort = Math.floor(maxNameSize / 3);

/** A key of at most this many UTF-16 units is not over the limit of all keys. */
const surelyFits = Math.floor(maxKeySize / 3);

const badSegment = /(?:^|\/)\.{0,2}(?:\/|$)/;
const reserved = /^\.stowage(?:\/|$)/i;
// oxlint-disable-next-line no-control-regex
const badOnWindows = /[\\:*?"<>|\u0001-\u001f]|[. ](?:\/|$)|(?:^|\/)(?:con|prn|aux|nul|com\d|lpt\d)(?:[./]|$)/i;

/** The key `a/b.json` is the file `a/b.json`. */
export function treeLayout(platform: NodeJS.Platform = process.platform): Layout {
  const problemOf = (key: string): string | undefined => {
    if (badSegment.test(key)) return 'be a path without empty, "." or ".." parts';
    if (reserved.test(key)) return `not start with ${reservedFolder}/, which is reserved`;
    if (key.length > surelyShort && hasLongName(key)) return `be a path whose parts have at most ${maxNameSize} bytes`;
    if (platform === "win32" && badOnWindows.test(key)) return "be a path that Windows can hold";
    return undefined;
  };
  return {
    name: "tree",
    anyKey: false,
    pathOf(key, operation) {
      const problem = problemOf(key);
      if (problem === undefined) return key;
      throw invalidKey(`In the layout "tree" a key must ${problem}; the layout "encoded" takes every key.`, { operation, key });
    },
    textOf: (key) => key,
    // What comes from names is well-formed and has no NUL; only its length is in question.
    keyOf: (text) => (text.length <= surelyFits || isKey(text) ? text : undefined),
    folderOf(text): Folder | undefined {
      const end = text.lastIndexOf("/");
      if (end === -1) return { path: "", text: "" };
      const path = text.slice(0, end);
      return isKey(path) && problemOf(path) === undefined ? { path, text: text.slice(0, end + 1) } : undefined;
    },
    itemOf(name, isFolder, folder) {
      if (folder.text === "" && name.length === reservedFolder.length && reserved.test(name)) return undefined;
      return isFolder ? `${name}/` : name;
    },
    nameOf: (item) => (item.endsWith("/") ? item.slice(0, -1) : item),
    isFolder: (item) => item.endsWith("/"),
  };
}

const hasLongName = (key: string): boolean => key.split("/").some((name) => byteLength(name) > maxNameSize);
