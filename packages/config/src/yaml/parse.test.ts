import { expect, test } from "vitest";
import type { ConfigError } from "../problems.ts";
import { Problems } from "../problems.ts";
import { limits } from "./limits.ts";
import type { Node } from "./node.ts";
import { parseYaml } from "./parse.ts";

/** A node as plain data, for comparing. */
function plain(node: Node | undefined): unknown {
  if (node === undefined) return undefined;
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plain);
  return [...node.entries].map(([name, { value }]) => [name, plain(value)]);
}

function parse(text: string): { node: unknown; message: string } {
  const problems = new Problems();
  const node = plain(parseYaml(text, problems));
  try {
    problems.throwIfFound("f");
    return { node, message: "" };
  } catch (error) {
    return { node, message: (error as ConfigError).message };
  }
}

test.each<[string, string, unknown]>([
  [
    "scalars of the core schema",
    "a: [1, 0x10, 0o10, 1.5, true, null, ~, yes, 10_000, 'x', \"y\"]",
    [["a", [1, 16, 8, 1.5, true, null, null, "yes", "10_000", "x", "y"]]],
  ],
  ["a byte order mark", "\uFEFFa: 1", [["a", 1]]],
  [
    "carriage returns",
    "a: 1\r\nb:\r\n  - 2\r\n",
    [
      ["a", 1],
      ["b", [2]],
    ],
  ],
  ["nothing at all", "", null],
  ["comments alone", "# nothing\n", null],
  [
    "a value left out",
    "a:\nb: 1\n",
    [
      ["a", null],
      ["b", 1],
    ],
  ],
  ["a number as a name", "1: x", [["1", "x"]]],
  ["a text that looks like a date", "a: 2026-11-01", [["a", "2026-11-01"]]],
])("reads %s", (_, text, expected) => {
  expect(parse(text)).toEqual({ node: expected, message: "" });
});

test("every node knows its line, column and path", () => {
  const problems = new Problems();
  const root = parseYaml("a:\n  - b: 1\n    'c d': [x, y]\n", problems);
  const seen: string[] = [];
  const visit = (node: Node): void => {
    seen.push(`${node.place.line}:${node.place.column} ${node.place.path}`);
    if (node.kind === "list") node.items.forEach(visit);
    if (node.kind === "map") for (const { value } of node.entries.values()) visit(value);
  };
  if (root !== undefined) visit(root);
  expect(seen).toEqual(["1:1 ", "2:3 a", "2:5 a[0]", "2:8 a[0].b", '3:12 a[0]["c d"]', '3:13 a[0]["c d"][0]', '3:16 a[0]["c d"][1]']);
});

test.each<[string, string, string]>([
  ["an alias", "a: &x 1\nb: *x", "1:4 anchors and aliases are not read here"],
  ["an alias bomb", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "anchors and aliases"],
  ["an anchor on a name", "&x a: 1", "anchors and aliases"],
  ["an alias as a name", "a: &x b\n*x : 1", "anchors and aliases"],
  ["an unknown alias", "a: *nothing", "anchors and aliases"],
  ["a merge key", "<<: {a: 1}", "merge keys are not read here"],
  ["a JavaScript tag", "a: !!js/function 'function () {}'", "tags such as"],
  ["a tag of its own", "a: !secret x", "tags such as"],
  ["a core tag", "a: !!str 5", "tags such as"],
  ["the non-specific tag", "a: ! 5", "tags such as"],
  ["a tag on a group", "!!map {a: 1}", "tags such as"],
  ["a tag on a name", "!!str a: 1", "tags"],
  ["binary data", "a: !!binary aGk=", "tags"],
  ["a set", "!!set {a, b}", "tags"],
  ["a directive", "%YAML 1.1\n---\na: 1", "directives such as"],
  ["a tag directive", "%TAG ! tag:x,2000:\n---\na: 1", "directives such as"],
  ["a second document", "a: 1\n---\nb: 2", "one document"],
  ["a repeated name", "a: 1\nb: 2\na: 3", '3:1 a: "a" is here twice'],
  ["a repeated name in braces", "a: {b: 1, b: 2}", '"b" is here twice'],
  ["__proto__", "a: {__proto__: {x: 1}}", '"__proto__" cannot be a name'],
  ["constructor", "constructor: 1", '"constructor" cannot be a name'],
  ["prototype", "prototype: 1", '"prototype" cannot be a name'],
  ["a list as a name", "? [a]\n: b", "a name must be a word"],
  ["a name that is missing", ": b", "a name must be a word"],
  ["tabs", "a:\n\t- b", "by spaces, not by tabs"],
  ["an open quote", 'a: "b', "something is missing here"],
  ["an open bracket", "a: [b", "a bracket or brace is not closed"],
  ["a wrong escape", 'a: "\\z"', "not an escape that YAML knows"],
  ["a lone surrogate", 'a: "\\ud800"', "well-formed"],
  ["a lone surrogate in a name", '"\\ud800": 1', "well-formed"],
  ["wrong indentation", "a:\n    b: 1\n  c: 2", "3:1 the indentation does not fit"],
  ["a stray bracket", "a: ]", "does not belong here"],
  ["a reserved character", "a: @b", "put it in quotes"],
])("refuses %s", (_, text, message) => {
  expect(parse(text).message).toContain(message);
});

test.each([
  ["brackets", "[".repeat(20_000)],
  ["braces", "{".repeat(20_000)],
  ["pairs in brackets", "[a:".repeat(20_000)],
  ["dashes", "- ".repeat(30_000)],
  ["question marks", "? ".repeat(30_000)],
  ["indentation", Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")],
  ["closed brackets", `${"[".repeat(5_000)}${"]".repeat(5_000)}`],
])("refuses %s nested too deep with one sentence, before anything walks them", (_, text) => {
  expect(parse(text).message).toMatch(/^f:\d+:\d+ .*a storage file may nest 32 levels deep at the most\.$/);
});

test("takes exactly the depth that it promises", () => {
  const nested = (depth: number): string => `${"[".repeat(depth - 1)}x${"]".repeat(depth - 1)}`;
  expect(parse(nested(limits.depth)).message).toBe("");
  expect(parse(nested(limits.depth + 1)).message).toContain("32 levels deep");
  const block = (depth: number): string => Array.from({ length: depth }, (_, level) => `${" ".repeat(level)}a:`).join("\n");
  expect(parse(block(limits.depth - 1)).message).toBe("");
  expect(parse(block(limits.depth)).message).toContain("32 levels deep");
  expect(parse(`${"- ".repeat(limits.depth - 1)}x`).message).toBe("");
  expect(parse(`${"- ".repeat(limits.depth)}x`).message).toContain("32 levels deep");
});

test("takes exactly the number of values that it promises", () => {
  const flat = (values: number): string => `[${Array.from({ length: values - 1 }, () => "x").join(",")}]`;
  expect(parse(flat(limits.nodes)).message).toBe("");
  expect(parse(flat(limits.nodes + 1)).message).toContain("5000 values at the most");
});

test("takes exactly the size that it promises, counted in bytes", () => {
  expect(parse(`#${"x".repeat(limits.size - 1)}`).message).toBe("");
  expect(parse(`#${"x".repeat(limits.size)}`).message).toContain("64 KiB at the most");
  expect(parse(`#${"é".repeat(limits.size / 2)}`).message).toContain("64 KiB at the most");
});

test("a sentence about broken YAML never quotes the file", () => {
  for (const text of [
    'a: "canary',
    "a: canary: canary",
    "a: [canary",
    "canary\ncanary: 1",
    "a: !canary b",
    "a: *canary",
    "- canary\ncanary",
  ]) {
    const { message } = parse(text);
    expect(message).not.toBe("");
    expect(message).not.toContain("canary");
  }
});
