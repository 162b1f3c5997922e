import type { ParsedNode, YAMLError } from "yaml";
import { Composer, CST, isAlias, isMap, isPair, isScalar, isSeq, Lexer, Parser } from "yaml";
import type { Place, Problems } from "../problems.ts";
import { quote, wholeFile } from "../problems.ts";
import { limits } from "./limits.ts";
import type { MapEntry, Node } from "./node.ts";
import { childPath } from "./node.ts";

/**
 * Reads text as YAML 1.2 into nodes with places, or gives `undefined` and says why. Aliases, anchors, merge keys, tags,
 * directives, repeated names and a second document are refused, and so is what YAML only warns of.
 */
export function parseYaml(text: string, problems: Problems): Node | undefined {
  const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
  if (new TextEncoder().encode(source).byteLength > limits.size) {
    problems.add(wholeFile, `a storage file may have ${limits.size / 1024} KiB at the most.`);
    return undefined;
  }
  const where = placeFinder(source);
  try {
    return new Reader(source, where, problems).read();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { offset, message } = error;
    problems.add({ ...where(offset), path: "" }, message);
    return undefined;
  }
}

/** Stops reading at once: what follows would only repeat the problem, or cost too much. */
class Refusal extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

type Where = (offset: number) => { readonly line: number; readonly column: number };

class Reader {
  readonly #source: string;
  readonly #where: Where;
  readonly #problems: Problems;
  #nodes = 0;

  constructor(source: string, where: Where, problems: Problems) {
    this.#source = source;
    this.#where = where;
    this.#problems = problems;
  }

  read(): Node | undefined {
    const composer = new Composer({ strict: true, uniqueKeys: false, version: "1.2", schema: "core", merge: false, logLevel: "silent" });
    const [document, second] = composer.compose(tokensOf(this.#source), true, this.#source.length);
    if (document === undefined) return this.#fail(0, "this is not valid YAML.");
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) return this.#fail(error.pos[0], sentences[error.code]);
    if (second !== undefined) return this.#fail(second.range[0], "a storage file is one document; remove what follows `---`.");
    return document.contents === null ? nothing : this.#node(document.contents, "", 1);
  }

  #node(node: ParsedNode, path: string, depth: number): Node {
    const place = this.#place(node.range[0], path);
    if (++this.#nodes > limits.nodes) this.#refuse(node.range[0], tooMany);
    if (depth > limits.depth) this.#refuse(node.range[0], tooDeep);
    if (isAlias(node)) this.#refuse(node.range[0], noAnchors);
    if (node.anchor !== undefined) this.#refuse(node.range[0], noAnchors);
    if (node.tag !== undefined) this.#refuse(node.range[0], noTags);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => {
        if (isPair(item)) return this.#refuse(node.range[0], "a list holds values here, not pairs.");
        return this.#node(item, `${path}[${index}]`, depth + 1);
      });
      return { kind: "list", place, items };
    }
    if (isMap(node)) return { kind: "map", place, entries: this.#entries(node.items, path, depth) };
    return { kind: "scalar", place, value: this.#scalar(node.value, node.range[0]), plain: node.type === "PLAIN" };
  }

  #entries(items: readonly Pair[], path: string, depth: number): Map<string, MapEntry> {
    const entries = new Map<string, MapEntry>();
    for (const { key, value } of items) {
      const name = this.#name(key);
      const place = this.#place(key.range[0], childPath(path, name));
      if (forbiddenNames.has(name)) this.#problems.add(place, `${quote(name)} cannot be a name.`);
      else if (name === "<<") this.#refuse(key.range[0], "merge keys are not read here; write the values out.");
      else if (entries.has(name)) this.#problems.add(place, `${quote(name)} is here twice; keep one.`);
      else entries.set(name, { place, value: value === null ? { ...nothing, place } : this.#node(value, place.path, depth + 1) });
    }
    return entries;
  }

  #name(key: ParsedNode): string {
    if (!isScalar(key) || key.value === null) this.#refuse(key.range[0], "a name must be a word.");
    if (key.anchor !== undefined) this.#refuse(key.range[0], noAnchors);
    if (key.tag !== undefined) this.#refuse(key.range[0], noTags);
    const name = typeof key.value === "string" ? key.value : (key.source ?? "");
    if (!name.isWellFormed()) this.#refuse(key.range[0], notWellFormed);
    return name;
  }

  #scalar(value: unknown, offset: number): string | number | boolean | null {
    if (typeof value === "string") return value.isWellFormed() ? value : this.#refuse(offset, notWellFormed);
    if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
    return this.#refuse(offset, "this is not a value that can stand here.");
  }

  #place(offset: number, path: string): Place {
    return { ...this.#where(offset), path };
  }

  #fail(offset: number, message: string): undefined {
    this.#problems.add({ ...this.#where(offset), path: "" }, message);
  }

  #refuse(offset: number, message: string): never {
    throw new Refusal(offset, message);
  }
}

interface Pair {
  readonly key: ParsedNode;
  readonly value: ParsedNode | null;
}

/** Cuts the text into tokens and stops at nesting that would exhaust the stack of whoever walks it. */
function tokensOf(source: string): CST.Token[] {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  const take = (token: CST.Token): void => {
    if (token.type === "directive") throw new Refusal(token.offset, "directives such as `%YAML` are not read here; remove the line.");
    tokens.push(token);
  };
  let parts = 0;
  let isText = false;
  for (const lexeme of new Lexer().lex(source)) {
    const type = isText ? "scalar" : CST.tokenType(lexeme);
    if (type === "anchor" || type === "alias") throw new Refusal(parser.offset, noAnchors);
    if (type === "tag") throw new Refusal(parser.offset, noTags);
    if (type !== null && !cheap.has(type) && ++parts > mostParts) throw new Refusal(parser.offset, tooMany);
    isText = lexeme === CST.SCALAR;
    for (const token of parser.next(lexeme)) take(token);
    if (parser.stack.length > deepestStack) throw new Refusal(parser.offset, tooDeep);
  }
  for (const token of parser.end()) take(token);
  return tokens;
}

/** What a file may have any number of, as far as its size allows. */
const cheap: ReadonlySet<string> = new Set(["byte-order-mark", "comment", "newline", "space"]);

/** No value takes more: a name, a question mark, a colon, the value itself and a comma. */
const mostParts = 5 * limits.nodes;

/** The parser holds up to two tokens for each level, the document and the value it is at. */
const deepestStack = 2 * limits.depth + 2;

/** Lines and columns of offsets. */
function placeFinder(source: string): Where {
  const starts = [0];
  for (let at = source.indexOf("\n"); at !== -1; at = source.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 };
  };
}

const nothing: Node = { kind: "scalar", place: wholeFile, value: null, plain: true };

/** Names that mean something else to JavaScript. */
const forbiddenNames: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

const tooMany = `a storage file may have ${limits.nodes} values at the most.`;
const tooDeep = `a storage file may nest ${limits.depth} levels deep at the most.`;
const noAnchors = "anchors and aliases are not read here; write the value out, or refer to a storage by `use: name`.";
const noTags = "tags such as `!!str` are not read here; write the plain value.";
const notWellFormed = "text must be well-formed, without lone surrogates.";

/** What the parser found, in our words: its own quote the file, and what stands there may be a secret. */
const sentences: Readonly<Record<YAMLError["code"], string>> = {
  ALIAS_PROPS: noAnchors,
  BAD_ALIAS: noAnchors,
  BAD_COLLECTION_TYPE: noTags,
  BAD_DIRECTIVE: "directives such as `%YAML` are not read here; remove the line.",
  BAD_DQ_ESCAPE: "this is not an escape that YAML knows; write a backslash as `\\\\`, or use single quotes.",
  BAD_INDENT: "the indentation does not fit, or a bracket or brace is not closed; lines that belong together start in the same column.",
  BAD_PROP_ORDER: noAnchors,
  BAD_SCALAR_START: "a value cannot start with this character; put it in quotes.",
  BLOCK_AS_IMPLICIT_KEY: "a group of names cannot start on the line of its name; put it on the next line, indented.",
  BLOCK_IN_FLOW: "inside brackets and braces everything is written with brackets and braces.",
  DUPLICATE_KEY: "this name is here twice; keep one.",
  IMPOSSIBLE: "this is not valid YAML.",
  KEY_OVER_1024_CHARS: "this name is too long.",
  MISSING_CHAR: "something is missing here: a closing quote, bracket or brace, a comma, a colon, or a space after one.",
  MULTILINE_IMPLICIT_KEY: "a name must stand on one line.",
  MULTIPLE_ANCHORS: noAnchors,
  MULTIPLE_DOCS: "a storage file is one document; remove what follows `---`.",
  MULTIPLE_TAGS: noTags,
  NON_STRING_KEY: "a name must be a word.",
  RESOURCE_EXHAUSTION: tooDeep,
  TAB_AS_INDENT: "lines are indented by spaces, not by tabs.",
  TAG_RESOLVE_FAILED: noTags,
  UNEXPECTED_TOKEN: "this does not belong here; look for a missing or a stray quote, bracket, brace or colon just before.",
};
