import { isClock } from "../contract/clock.ts";
import { StorageError } from "../contract/storage-error.ts";
import { nearestName } from "./nearest-name.ts";
import type { Option, Options } from "./option-kinds.ts";

/**
 * Refuses options that do not fit their definitions, for factories that check by them what code hands in: names that do
 * not exist, missing ones, values of the wrong kind or out of bounds. Durations are milliseconds here, and sizes bytes.
 *
 * `others` are names that only code can give, such as functions; `clock` is always one of them.
 *
 * @throws StorageError `invalid-option`, with the nearest name that exists
 */
export function checkOptions(definitions: Options, options: object, storage: string, others: readonly string[] = []): void {
  const refuse = (problem: string): never => {
    throw new StorageError("invalid-option", `${storage}: ${problem}`, { storage });
  };
  if (!isGroup(options)) refuse("the options must be an object.");
  const names = [...Object.keys(definitions), ...others, "clock"];
  for (const name of Object.keys(options)) if (!names.includes(name)) refuse(unknown(name, names));
  if ("clock" in options && options.clock !== undefined && !isClock(options.clock))
    refuse("clock must be an object with now() and sleep().");
  for (const [name, definition] of Object.entries(definitions)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value === undefined && definition.required) refuse(`the option ${name} is missing; it must be ${expected(definition)}.`);
    if (value !== undefined && !accepts(definition, value)) refuse(`${name} must be ${expected(definition)}.`);
  }
}

function accepts(option: Option, value: unknown): boolean {
  switch (option.kind) {
    case "duration":
    case "size":
    case "number": {
      if (typeof value !== "number" || value < option.min || value > option.max) return false;
      return option.kind === "number" && !option.whole ? Number.isFinite(value) : Number.isSafeInteger(value);
    }
    case "boolean":
      return typeof value === "boolean";
    case "text":
      return typeof value === "string" && (option.pattern === undefined || new RegExp(option.pattern.source, "u").test(value));
    case "choice":
      return typeof value === "string" && option.values.includes(value);
    case "path":
      return typeof value === "string" && value !== "" && !value.includes("\0");
    case "secret":
      return option.form === "key" ? value instanceof Uint8Array && value.byteLength === 32 : typeof value === "string" && value !== "";
    case "list":
      return (
        Array.isArray(value) &&
        value.length >= option.minLength &&
        value.length <= option.maxLength &&
        value.every((item) => accepts(option.item, item))
      );
    case "object":
      return isGroup(value) && acceptsAll(option.options, value);
    case "record":
      return isGroup(value) && Object.values(value).every((item) => accepts(option.value, item));
    case "storage":
      return isGroup(value) && typeof value["getEntry"] === "function" && (option.takes === "any" || typeof value["read"] === "function");
    case "either":
      return option.alternatives.some((alternative) => accepts(alternative, value));
  }
}

function acceptsAll(definitions: Options, values: Readonly<Record<string, unknown>>): boolean {
  if (!Object.keys(values).every((name) => Object.hasOwn(definitions, name))) return false;
  return Object.entries(definitions).every(([name, definition]) =>
    values[name] === undefined ? !definition.required : accepts(definition, values[name]),
  );
}

function expected(option: Option): string {
  switch (option.kind) {
    case "duration":
      return `milliseconds${bounds(option.min, option.max)}`;
    case "size":
      return `bytes${bounds(option.min, option.max)}`;
    case "number":
      return `a ${option.whole ? "whole " : ""}number${bounds(option.min, option.max)}`;
    case "boolean":
      return "true or false";
    case "text":
      return option.pattern?.meaning ?? "text";
    case "choice":
      return option.values.map((value) => JSON.stringify(value)).join(" or ");
    case "path":
      return "a path";
    case "secret":
      return option.form === "key" ? "a key of 32 bytes" : "a secret text";
    case "list":
      return `a list${bounds(option.minLength, option.maxLength)} of what is each ${expected(option.item)}`;
    case "object":
      return `an object with ${Object.keys(option.options).join(", ")}`;
    case "record":
      return `an object whose values are each ${expected(option.value)}`;
    case "storage":
      return option.takes === "bytes" ? "a storage of bytes" : "a storage";
    case "either":
      return option.alternatives.map(expected).join(", or ");
  }
}

function bounds(min: number, max: number): string {
  if (max !== Infinity) return ` from ${min} to ${max}`;
  return min === 0 ? "" : ` of at least ${min}`;
}

function unknown(name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  const quoted = JSON.stringify(name.slice(0, 40));
  return near === undefined
    ? `there is no option ${quoted}; there are ${names.join(", ")}.`
    : `there is no option ${quoted}; did you mean "${near}"?`;
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
