import { resolve } from "node:path";
import type { ListOption, Option, Options, SecretOption, StorageOption } from "@stowage/core";
import { nearestName } from "@stowage/core";
import { bounds, expectation, holdsSecret } from "./expectation.ts";
import type { Place, Problems } from "./problems.ts";
import { alternatives, quote } from "./problems.ts";
import type { Secrets } from "./secrets.ts";
import { SecretProblem } from "./secrets.ts";
import type { Reading } from "./units.ts";
import { readDuration, readNumber, readSize } from "./units.ts";
import type { Node, ScalarNode } from "./yaml/node.ts";
import { isNothing, kindOf } from "./yaml/node.ts";

/** What reading options needs to know beside them. */
export interface ReadContext {
  readonly problems: Problems;
  readonly secrets: Secrets;
  /** What paths are relative to. */
  readonly directory: string;
  /** Takes bare numbers of durations as seconds: the short form does. */
  readonly bareSeconds: boolean;
  /** Plans the storage that an option names; a reference to it takes its place in the value. */
  readonly planStorage: (node: Node, takes: StorageOption["takes"]) => Promise<object | undefined>;
}

/** The values of options by name; undefined where something is wrong, which the problems then say. */
export type Values = Readonly<Record<string, unknown>>;

/** Reads a group of named options. Every problem in it is found. */
export async function readOptions(options: Options, node: Node, context: ReadContext): Promise<Values | undefined> {
  const { problems } = context;
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (node.kind !== "map" && !isNothing(node)) {
    problems.add(node.place, `expected a group of options, got ${kindOf(node)}.`);
    return undefined;
  }
  let sound = true;
  for (const [name, { place, value }] of node.kind === "map" ? node.entries : []) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) problems.add(place, unknownOption(name, Object.keys(options)));
    const read = option === undefined ? undefined : await readOption(option, value, context);
    if (read === undefined) sound = false;
    else values[name] = read;
  }
  for (const [name, option] of Object.entries(options)) {
    if (!option.required || (node.kind === "map" && node.entries.has(name))) continue;
    problems.add(node.place, `the option ${quote(name)} is missing: ${expectation(option)}.`);
    sound = false;
  }
  return sound ? values : undefined;
}

async function readOption(option: Option, node: Node, context: ReadContext): Promise<unknown> {
  if (isNothing(node)) return wrong(node.place, `has no value: expected ${expectation(option)}.`, context);
  switch (option.kind) {
    case "duration":
    case "size":
    case "number":
      return readQuantity(option, node, context);
    case "boolean":
      return node.kind === "scalar" && typeof node.value === "boolean" ? node.value : mismatch(option, node, context);
    case "text": {
      const text = textOf(node);
      if (text === undefined) return mismatch(option, node, context);
      if (option.pattern === undefined || new RegExp(option.pattern.source, "u").test(text)) return text;
      return mismatch(option, node, context);
    }
    case "choice": {
      const text = textOf(node);
      if (text !== undefined && option.values.includes(text)) return text;
      const near = text === undefined ? undefined : nearestName(text, option.values);
      return mismatch(option, node, context, near === undefined ? "." : `; did you mean ${quote(near)}?`);
    }
    case "path": {
      const text = textOf(node);
      if (text === undefined || text === "" || text.includes("\0")) return mismatch(option, node, context);
      return resolve(context.directory, text);
    }
    case "secret":
      return await readSecret(option, node, context);
    case "list":
      return await readList(option, node, context);
    case "object":
      return await readOptions(option.options, node, context);
    case "record": {
      if (node.kind !== "map") return mismatch(option, node, context);
      const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
      let sound = true;
      for (const [name, { value }] of node.entries) {
        values[name] = await readOption(option.value, value, context);
        if (values[name] === undefined) sound = false;
      }
      return sound ? values : undefined;
    }
    case "storage":
      return await context.planStorage(node, option.takes);
    case "either": {
      const fitting = option.alternatives.find((alternative) => fits(alternative, node));
      return fitting === undefined ? mismatch(option, node, context) : await readOption(fitting, node, context);
    }
  }
}

/** A number with or without a unit, within its bounds. */
function readQuantity(option: Extract<Option, { min: number }>, node: Node, context: ReadContext): unknown {
  if (node.kind !== "scalar" || typeof node.value === "boolean") return mismatch(option, node, context);
  const reading = quantity(option, node, context);
  if ("wrong" in reading) return wrong(node.place, reading.wrong, context);
  const { value } = reading;
  const whole = option.kind !== "number" || option.whole;
  const sound = Number.isFinite(value) && (!whole || Number.isSafeInteger(value)) && value >= option.min && value <= option.max;
  return sound ? value : wrong(node.place, `expected ${expectation(option)}${bounds(option)}.`, context);
}

function quantity(option: Extract<Option, { min: number }>, { value, plain }: ScalarNode, { bareSeconds }: ReadContext): Reading {
  if (typeof value === "string") {
    if (option.kind === "duration") return bareSeconds && "value" in readNumber(value) ? seconds(readNumber(value)) : readDuration(value);
    if (option.kind === "size") return readSize(value);
    return plain ? readNumber(value) : { wrong: `expected ${expectation(option)}, got text; remove the quotes.` };
  }
  if (option.kind !== "duration" || typeof value !== "number") return { value: Number(value) };
  if (bareSeconds) return seconds({ value });
  return { wrong: `expected a duration with its unit, such as 500ms, 30s, 5m, 2h or 90d.` };
}

const seconds = (reading: Reading): Reading => ("value" in reading ? { value: reading.value * 1_000 } : reading);

async function readList(option: ListOption, node: Node, context: ReadContext): Promise<unknown> {
  if (node.kind !== "list") return mismatch(option, node, context);
  const values: unknown[] = [];
  for (const item of node.items) values.push(await readOption(option.item, item, context));
  const { minLength, maxLength } = option;
  if (node.items.length < minLength) return wrong(node.place, `expected at least ${minLength} in this list.`, context);
  if (node.items.length > maxLength) return wrong(node.place, `expected at most ${maxLength} in this list.`, context);
  return values.includes(undefined) ? undefined : values;
}

async function readSecret(option: SecretOption, node: Node, context: ReadContext): Promise<unknown> {
  const [reference, ...more] = node.kind === "map" ? node.entries : [];
  if (reference === undefined) return wrong(node.place, `a secret is never written here: ${byReference}.`, context);
  const [name, { place, value }] = reference;
  if (more.length > 0 || (name !== "fromEnv" && name !== "fromFile")) {
    return wrong(place, `a secret comes from one place: ${byReference}.`, context);
  }
  const source = textOf(value);
  if (source === undefined || source === "" || source.includes("\0")) {
    return wrong(value.place, `expected the name of ${name === "fromEnv" ? "an environment variable" : "a file"}.`, context);
  }
  try {
    const { secrets, directory } = context;
    const text = name === "fromEnv" ? secrets.fromEnv(source) : await secrets.fromFile(resolve(directory, source));
    return option.form === "key" ? secrets.key(text) : text;
  } catch (error) {
    if (error instanceof SecretProblem) return wrong(value.place, error.message, context);
    throw error;
  }
}

const byReference = "give { fromEnv: NAME } or { fromFile: path }";

/** Whether a node is of the kind that an option takes, whatever is inside. */
function fits(option: Option, node: Node): boolean {
  switch (option.kind) {
    case "list":
      return node.kind === "list";
    case "object":
    case "record":
    case "secret":
    case "storage":
      return node.kind === "map";
    case "either":
      return option.alternatives.some((alternative) => fits(alternative, node));
    case "boolean":
      return node.kind === "scalar" && typeof node.value === "boolean";
    case "choice":
      return option.values.includes(textOf(node) ?? "");
    case "text":
    case "path":
      return textOf(node) !== undefined;
    case "number": // "250ms" is left to a duration that stands beside it
      return node.kind === "scalar" && (typeof node.value === "number" || "value" in readNumber(textOf(node) ?? ""));
    case "duration":
    case "size":
      return node.kind === "scalar" && (typeof node.value === "number" || /^-?\d/.test(textOf(node) ?? ""));
  }
}

function textOf(node: Node): string | undefined {
  return node.kind === "scalar" && typeof node.value === "string" ? node.value : undefined;
}

function mismatch(option: Option, node: Node, context: ReadContext, ending = "."): undefined {
  return wrong(node.place, `expected ${expectation(option)}, got ${holdsSecret(option) ? kindOf(node) : shown(node)}${ending}`, context);
}

function shown(node: Node): string {
  if (node.kind !== "scalar") return kindOf(node);
  if (typeof node.value === "string") return quote(node.value);
  return typeof node.value === "number" ? `the number ${node.value}` : String(node.value);
}

function wrong(place: Place, message: string, { problems }: ReadContext): undefined {
  problems.add(place, message);
}

function unknownOption(name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  if (near !== undefined) return `there is no option ${quote(name)}; did you mean ${quote(near)}?`;
  if (names.length === 0) return `there is no option ${quote(name)}; there are none here.`;
  return `there is no option ${quote(name)}; there ${names.length === 1 ? "is" : "are"} ${alternatives(names)}.`;
}
