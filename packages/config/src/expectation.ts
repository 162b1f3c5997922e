import type { Option } from "@stowage/core";
import { alternatives } from "./problems.ts";
import { formatDuration, formatSize } from "./units.ts";

/** What an option takes, as the end of a sentence that starts with "expected". */
export function expectation(option: Option): string {
  switch (option.kind) {
    case "duration":
      return "a duration such as 500ms, 30s, 5m, 2h or 90d";
    case "size":
      return "a size such as 4096, 64MB or 4KiB";
    case "number":
      return option.whole ? "a whole number" : "a number";
    case "boolean":
      return "true or false";
    case "text":
      return option.pattern?.meaning ?? "text";
    case "choice":
      return alternatives(option.values);
    case "path":
      return "a path";
    case "secret":
      return "a secret by reference, { fromEnv: NAME } or { fromFile: path }";
    case "list":
      return "a list";
    case "object":
      return `a group of options (${Object.keys(option.options).join(", ")})`;
    case "record":
      return "a group of names";
    case "storage":
      return "a storage, { use: name } or { backend: ..., layers: [...] }";
    case "either":
      return option.alternatives.map(expectation).join(", or ");
  }
}

/** The bounds of a number in words, with a space before them: " from 1 to 10". */
export function bounds(option: Extract<Option, { readonly min: number }>): string {
  const { min, max } = option;
  if (Number.isFinite(min) && Number.isFinite(max)) return ` from ${formatValue(option, min)} to ${formatValue(option, max)}`;
  if (Number.isFinite(max)) return ` of at most ${formatValue(option, max)}`;
  return Number.isFinite(min) ? ` of at least ${formatValue(option, min)}` : "";
}

/** A value as it is written in a file. */
export function formatValue(option: Option, value: boolean | number | string): string {
  if (typeof value !== "number") return String(value);
  if (option.kind === "duration") return formatDuration(value);
  if (option.kind === "size") return formatSize(value);
  return value >= 10_000 ? String(value).replaceAll(/\B(?=(\d{3})+$)/g, "_") : String(value);
}

/** Whether a secret is to stand in this option or somewhere inside it. */
export function holdsSecret(option: Option): boolean {
  switch (option.kind) {
    case "secret":
      return true;
    case "list":
      return holdsSecret(option.item);
    case "record":
      return holdsSecret(option.value);
    case "object":
      return Object.values(option.options).some(holdsSecret);
    case "either":
      return option.alternatives.some(holdsSecret);
    default:
      return false;
  }
}
