import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AnyStorage, Capabilities } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { keyvStorage } from "@stowage/keyv";
import { levelStorage } from "@stowage/level";
import { lmdbStorage } from "@stowage/lmdb";
import { memoryStorage } from "@stowage/memory";
import { redisStorage } from "@stowage/redis";
import { s3Storage } from "@stowage/s3";
import { sqliteStorage } from "@stowage/sqlite";
import { expect, test } from "vitest";

const page = join(import.meta.dirname, "../../../docs/choosing-a-backend.md");
const mark = "brings it up to date. -->";

/** Making a storage does no I/O. */
const storages: readonly AnyStorage[] = [
  memoryStorage(),
  fileStorage({ directory: "data" }),
  sqliteStorage({ path: "data.db" }),
  lmdbStorage({ path: "data.lmdb" }),
  levelStorage({ directory: "data.level" }),
  redisStorage(),
  s3Storage({ bucket: "data" }),
  keyvStorage({ store: new Map<string, string>() }),
];
const abilities: readonly (keyof Capabilities)[] = [
  "ttl",
  "metadata",
  "conditions",
  "list",
  "atomicBatch",
  "anyKey",
  "streams",
  "durability",
  "shared",
];

test("docs/choosing-a-backend.md says what the backends say of themselves; `vitest -u` brings it up to date", async () => {
  const [written = ""] = (await readFile(page, "utf8")).split(mark);
  const head = ["backend", ...abilities.map((ability) => `\`${ability}\``)];
  const rows = storages.map(({ name, capabilities }) => [`\`${name}\``, ...abilities.map((ability) => inWords(capabilities[ability]))]);
  await expect(`${written}${mark}\n\n${tableOf([head, ...rows])}\n`).toMatchFileSnapshot(page);
});

function inWords(ability: Capabilities[keyof Capabilities]): string {
  if (typeof ability === "string") return ability;
  if (typeof ability === "boolean") return ability ? "yes" : "no";
  return ability.length === 0 ? "none" : ability.join(", ");
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(rows[0]!), line(widths.map((width) => "-".repeat(width))), ...rows.slice(1).map(line)].join("\n");
}
