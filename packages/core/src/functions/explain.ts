import type { AnyStorage, Capabilities } from "../contract/contract.ts";

/** The longest text of one option. */
const longestOption = 60;

/**
 * A picture of a stack in text: its parts from the backend up with their options, and what it can do. A part that stands
 * on several storages has their stacks drawn inside it.
 *
 * ```
 * ┌ file        directory: "./users"
 * ├ retry       attempts: 4
 * ├ compressed  codec: "zstd"
 * └ json
 *
 * ttl          no
 * metadata     no
 * conditions   create, replace, delete
 * ...
 * ```
 */
export function explain(storage: AnyStorage): string {
  return [...drawStack(storage), "", ...drawTable(abilitiesOf(storage.capabilities))].join("\n");
}

/** The parts of a stack from the lowest up: a backend, or a part that stands on several. */
function partsOf(top: AnyStorage): AnyStorage[] {
  const parts = [top];
  let [below, ...others] = top.inner;
  while (below !== undefined && others.length === 0) {
    parts.unshift(below);
    [below, ...others] = below.inner;
  }
  return parts;
}

function drawStack(top: AnyStorage): string[] {
  const parts = partsOf(top);
  const width = Math.max(...parts.map(({ name }) => name.length));
  return parts.flatMap((part, index) => {
    const isLast = index === parts.length - 1;
    const corner = parts.length === 1 ? "─" : index === 0 ? "┌" : isLast ? "└" : "├";
    const line = `${corner} ${part.name.padEnd(width)}  ${describeOptions(part)}`.trimEnd();
    const branches = index === 0 ? part.inner.flatMap(drawStack) : [];
    return [line, ...branches.map((branch) => `${isLast ? " " : "│"} ${branch}`)];
  });
}

function describeOptions(storage: AnyStorage): string {
  return Object.entries(storage.details().options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${describeValue(value)}`)
    .join(", ");
}

function describeValue(value: unknown): string {
  if (typeof value === "function") return "a function";
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // What has no JSON form is named by its kind.
  }
  const shown = text ?? (typeof value === "bigint" ? String(value) : Object.prototype.toString.call(value).slice("[object ".length, -1));
  return shown.length <= longestOption ? shown : `${shown.slice(0, longestOption - 1)}…`;
}

/** All of them, in the order of the contract and not in that of the layer that made the object. */
function abilitiesOf(capabilities: Capabilities): [name: string, ability: string][] {
  const { ttl, metadata, conditions, list, atomicBatch, anyKey, streams, durability, shared } = capabilities;
  const ordered: Capabilities = { ttl, metadata, conditions, list, atomicBatch, anyKey, streams, durability, shared };
  return Object.entries(ordered).map(([name, ability]: [string, Capabilities[keyof Capabilities]]) => [name, describeAbility(ability)]);
}

function describeAbility(ability: Capabilities[keyof Capabilities]): string {
  if (typeof ability === "object") return ability.length === 0 ? "none" : ability.join(", ");
  if (typeof ability === "boolean") return ability ? "yes" : "no";
  return ability;
}

function drawTable(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}
