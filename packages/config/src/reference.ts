import type { Option, Options, Plugin } from "@stowage/core";
import { formatValue } from "./expectation.ts";
import { official } from "./official.ts";
import { Registry } from "./registry.ts";
import type { SchemaOptions } from "./schema.ts";

/** The part of the YAML reference that is generated, in Markdown: every backend, layer and codec with its options. */
export async function storagesReference(options: SchemaOptions = {}): Promise<string> {
  const registry = new Registry(options.plugins);
  await registry.loadInstalled();
  const of = (kind: Plugin["kind"]): string =>
    registry.known
      .filter((plugin) => plugin.kind === kind)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(section)
      .join("\n\n");
  return `## Backends\n\n${of("backend")}\n\n## Layers\n\n${of("layer")}\n\n## Codecs\n\n${of("codec")}\n`;
}

function section(plugin: Plugin): string {
  const { name, description, options } = plugin;
  const { package: packageName } = official.get(name) ?? {};
  const from = packageName === undefined ? "" : ` From \`${packageName}\`.`;
  const head = `### ${name}\n\n${description}${from}${place(plugin)}`;
  return Object.keys(options).length === 0 ? `${head} It has no options.` : `${head}\n\n${table(options)}`;
}

function place(plugin: Plugin): string {
  if (plugin.kind === "backend") return "";
  if (plugin.kind === "codec") return " It stands on bytes and gives values.";
  return { bytes: " It stands on bytes.", values: " It stands on values.", any: " It stands on bytes or values." }[plugin.takes];
}

function table(options: Options): string {
  const rows = rowsOf(options, "");
  return ["| option | value | default | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** A row for each option, and for each option inside it. */
function rowsOf(options: Options, prefix: string): string[] {
  return Object.entries(options).flatMap(([name, option]) => {
    const path = `${prefix}${name}`;
    const given = "default" in option && option.default !== undefined ? `\`${formatValue(option, option.default)}\`` : undefined;
    const row = `| \`${path}\` | ${kindInWords(option)} | ${option.required ? "required" : (given ?? "")} | ${escaped(option.description)} |`;
    return [row, ...inside(option, path)];
  });
}

function inside(option: Option, path: string): string[] {
  if (option.kind === "object") return rowsOf(option.options, `${path}.`);
  if (option.kind === "list") return inside(option.item, `${path}[]`);
  if (option.kind === "record") return inside(option.value, `${path}.*`);
  return option.kind === "either" ? option.alternatives.flatMap((alternative) => inside(alternative, path)) : [];
}

function kindInWords(option: Option): string {
  switch (option.kind) {
    case "duration":
    case "size":
      return `${option.kind}${bounds(option)}`;
    case "number":
      return `${option.whole ? "whole number" : "number"}${bounds(option)}`;
    case "boolean":
      return "`true` or `false`";
    case "text":
      return option.pattern === undefined ? "text" : escaped(option.pattern.meaning);
    case "choice":
      return option.values.map((value) => `\`${value}\``).join(", ");
    case "path":
      return "path";
    case "secret":
      return option.form === "key" ? "[secret](#secrets) key of 32 bytes" : "[secret](#secrets)";
    case "list":
      return `list of ${kindInWords(option.item)}`;
    case "object":
      return "group";
    case "record":
      return `group of names, each ${kindInWords(option.value)}`;
    case "storage":
      return "[storage](#one-storage-in-another)";
    case "either":
      return option.alternatives.map(kindInWords).join(", or ");
  }
}

function bounds(option: Extract<Option, { readonly min: number }>): string {
  const { min, max } = option;
  if (Number.isFinite(max)) return `, ${formatValue(option, min)} to ${formatValue(option, max)}`;
  return min > 0 ? `, from ${formatValue(option, min)}` : "";
}

const escaped = (text: string): string => text.replaceAll("|", String.raw`\|`);
