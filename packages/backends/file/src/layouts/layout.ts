/**
 * How keys become paths below the folder, and names become keys again.
 *
 * A list works on *texts*: strings in whose order a layout's keys are sorted. What is in a folder has the text of that
 * folder as a start, so that the order of names decides the order of keys.
 */
export interface Layout {
  readonly name: "tree" | "encoded";
  /** Every legal key has a path. */
  readonly anyKey: boolean;
  /** The path of a key, relative, with `/`. Throws `invalid-key`. */
  pathOf(key: string, operation: string): string;
  /** The text of a key, of the start of one, or of a part of one. */
  textOf(key: string): string;
  /** The key of a text made of items, or `undefined` where it is none: it may be too long, for instance. */
  keyOf(text: string): string | undefined;
  /** The deepest folder that holds everything whose text starts with `text`, or `undefined` where nothing can. */
  folderOf(text: string): Folder | undefined;
  /** What the texts in a folder go on with below this name, or `undefined` where the name is none of ours. */
  itemOf(name: string, isFolder: boolean, folder: Folder): string | undefined;
  /** The name of an item. */
  nameOf(item: string): string;
  /** Whether an item is a folder. */
  isFolder(item: string): boolean;
}

export interface Folder {
  /** Relative; empty for the top. */
  readonly path: string;
  /** What every text in it starts with. */
  readonly text: string;
}

/** Where temporary files and locks are, in the folder of the storage. */
export const reservedFolder = ".stowage";

/** The path of a name in a folder. */
export const inside = (path: string, name: string): string => (path === "" ? name : `${path}/${name}`);
