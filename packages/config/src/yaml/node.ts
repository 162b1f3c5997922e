import type { Place } from "../problems.ts";
import { quote } from "../problems.ts";

/** A piece of a storage file with its place. No object of the file's own making ever exists: names are entries of a `Map`. */
export type Node = ScalarNode | ListNode | MapNode;

export interface ScalarNode {
  readonly kind: "scalar";
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /** Written without quotes. */
  readonly plain: boolean;
}

export interface ListNode {
  readonly kind: "list";
  readonly place: Place;
  readonly items: readonly Node[];
}

export interface MapNode {
  readonly kind: "map";
  readonly place: Place;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  /** The place of the name. */
  readonly place: Place;
  readonly value: Node;
}

/** Whether nothing was written. */
export function isNothing(node: Node): boolean {
  return node.kind === "scalar" && node.value === null;
}

/** What a node is, in a word. */
export function kindOf(node: Node): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a group of names";
  if (node.value === null) return "nothing";
  if (typeof node.value === "string") return "text";
  return typeof node.value === "number" ? "a number" : "true or false";
}

/** The path of a name below a path. */
export function childPath(path: string, name: string): string {
  if (!/^[\w-]{1,64}$/.test(name)) return `${path}[${quote(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}
