import type { AnyStorage, Capabilities } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { keyvStorage } from "@stowage/keyv";
import { levelStorage } from "@stowage/level";
import { lmdbStorage } from "@stowage/lmdb";
import { memoryStorage } from "@stowage/memory";
import { redisStorage } from "@stowage/redis";
import { s3Storage } from "@stowage/s3";
import { sqliteStorage } from "@stowage/sqlite";

/** A backend as it is made by default, and with the options that change what it can do. */
export interface Backend {
  readonly name: string;
  readonly storage: AnyStorage;
  /** By the options, as the table names them. */
  readonly changed: Readonly<Record<string, AnyStorage>>;
}

/** Making a storage does no I/O. */
export const backends: readonly Backend[] = [
  backend(memoryStorage()),
  backend(fileStorage({ directory: "data" }), {
    '`layout: "encoded"`': fileStorage({ directory: "data", layout: "encoded" }),
    '`durability: "process"`': fileStorage({ directory: "data", durability: "process" }),
  }),
  backend(sqliteStorage({ path: "data.db" }), {
    '`durability: "process"`': sqliteStorage({ path: "data.db", durability: "process" }),
  }),
  backend(lmdbStorage({ path: "data.lmdb" })),
  backend(levelStorage({ directory: "data.level" }), {
    '`durability: "process"`': levelStorage({ directory: "data.level", durability: "process" }),
  }),
  backend(redisStorage(), {
    "`ordered: true`": redisStorage({ ordered: true }),
    "`cluster`": redisStorage({ cluster: ["redis://127.0.0.1"] }),
    '`durability: "process"`': redisStorage({ durability: "process" }),
    '`durability: "power"`': redisStorage({ durability: "power" }),
  }),
  backend(s3Storage({ bucket: "data" }), {
    "`endpoint`": s3Storage({ bucket: "data", endpoint: "https://s3.example.com" }),
    "`prefix`": s3Storage({ bucket: "data", prefix: "data/" }),
  }),
  backend(keyvStorage({ store: new Map<string, string>() }), {
    "a store without an iterator": keyvStorage({ store: { get: unused, set: unused, delete: unused } }),
    "`maxKeySize`": keyvStorage({ store: new Map<string, string>(), maxKeySize: 250 }),
    '`durability: "process"`': keyvStorage({ store: new Map<string, string>(), durability: "process" }),
    '`durability: "power"`': keyvStorage({ store: new Map<string, string>(), durability: "power" }),
    "`shared: true`": keyvStorage({ store: new Map<string, string>(), shared: true }),
  }),
];

/** What every ability means, value by value, in the order of the tables. */
const meanings: Readonly<Record<keyof Capabilities, Readonly<Record<string, string>>>> = {
  ttl: {
    native: "entries end at their time, for lists too",
    lazy: "entries end at their time; lists without `info` may still name them for a while",
    no: "`ttl` is refused; `envelope()` adds it",
  },
  metadata: {
    yes: "text can be kept beside a value",
    no: "`metadata` is refused; `envelope()` adds it",
  },
  conditions: {
    "create, replace, delete, stream": "`ifNoneMatch` and `ifMatch` are decided by the store itself, on streams too",
    none: "`ifNoneMatch` and `ifMatch` are refused",
  },
  list: {
    ordered: "in the order of UTF-8 bytes, with `delimiter` and `startAfter`",
    unordered: "in no order, without `delimiter` and `startAfter`",
    none: "`list` and `clear` are refused",
  },
  atomicBatch: {
    yes: "a batch with `atomic` is done as a whole or not at all",
    no: "`atomic` is refused; a batch does what it can",
  },
  anyKey: {
    yes: "every key that the contract knows",
    no: "a key that does not fit is refused with `invalid-key`",
  },
  streams: {
    native: "`read` and `write` have a few chunks in memory",
    buffered: "`read` and `write` have the whole value in memory",
    none: "no `read` and no `write`",
  },
  durability: {
    memory: "a write may be lost when the process or server ends that has it in memory",
    process: "an acknowledged write survives the end of every process, but not loss of power",
    power: "an acknowledged write survives loss of power",
  },
  shared: {
    yes: "other processes see the entries, and change them",
    no: "for one process alone",
  },
};

const abilities = Object.keys(meanings) as readonly (keyof Capabilities)[];

/** All backends side by side, as they are made by default. */
export function overview(): string {
  const rows = backends.map(({ name, storage }) => [code(name), ...abilities.map((ability) => valueOf(storage, ability))]);
  return tableOf([["backend", ...abilities.map(code)], ...rows]);
}

/** One backend: each ability, what it means, and below it what options make of it. */
export function abilitiesOf({ storage, changed }: Backend): string {
  const rows = abilities.flatMap((ability) => {
    const standard = valueOf(storage, ability);
    const others = Object.entries(changed)
      .map(([options, other]) => [`… with ${options}`, valueOf(other, ability)] as const)
      .filter(([, value]) => value !== standard);
    return [[code(ability), standard] as const, ...others].map(([label, value]) => [label, value, meaningOf(ability, value)]);
  });
  return tableOf([["ability", "here", "meaning"], ...rows]);
}

function meaningOf(ability: keyof Capabilities, value: string): string {
  const meaning = meanings[ability][value];
  if (meaning === undefined) throw new Error(`Say in words what it means that \`${ability}\` is "${value}".`);
  return meaning;
}

function valueOf({ capabilities }: AnyStorage, ability: keyof Capabilities): string {
  const value = capabilities[ability];
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value.length === 0 ? "none" : value.join(", ");
}

function backend(storage: AnyStorage, changed: Readonly<Record<string, AnyStorage>> = {}): Backend {
  return { name: storage.name, storage, changed };
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(rows[0]!), line(widths.map((width) => "-".repeat(width))), ...rows.slice(1).map(line)].join("\n");
}

const code = (text: string): string => `\`${text}\``;

function unused(): undefined {}
