import Table from "cli-table3";
import type { Replica } from "./story.ts";

/** One chapter of the story, as a table of what each replica has; as plain lines where nobody looks. */
export function chapterOf(
  title: string,
  happened: readonly string[],
  replicas: readonly Replica[],
  pretty: boolean = process.stdout.isTTY,
): string {
  const keys = [...new Set(replicas.flatMap(({ notes }) => [...(notes?.keys() ?? [])]))].toSorted();
  const heads = replicas.map(headOf);
  const rows: [string, ...string[]][] = keys.map((key) => [key, ...replicas.map(({ notes }) => cell(notes, notes?.get(key)))]);
  rows.push(["deletes remembered", ...replicas.map(({ notes, tombstones }) => cell(notes, String(tombstones)))]);
  const above = ["", title, ...happened.map((line) => `  ${line}`)];
  if (!pretty)
    return [
      ...above,
      ...rows.map(([name, ...cells]) => `  ${name} | ${cells.map((text, index) => `${heads[index]}: ${text}`).join(" | ")}`),
    ].join("\n");
  const table = new Table({ head: ["", ...heads], style: { head: [], border: [] } });
  table.push(...rows);
  return [...above, table.toString()].join("\n");
}

/** What can be seen of a replica from here, and what the composite knows, which may hear of it later. */
function headOf({ name, notes, health }: Replica): string {
  if (notes === undefined) return `${name} (down)`;
  return health === "up" ? name : `${name} (back, not asked yet)`;
}

function cell(notes: Replica["notes"], text: string | undefined): string {
  if (notes === undefined) return "not reached";
  return text ?? "nothing";
}
