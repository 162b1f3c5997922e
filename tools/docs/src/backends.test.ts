import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { abilitiesOf, backends, overview } from "./backends.ts";

const root = join(import.meta.dirname, "../../..");

test("docs/choosing-a-backend.md says what the backends say of themselves; `vitest -u` brings it up to date", async () => {
  await expectTable("docs/choosing-a-backend.md", overview());
});

test.each(backends)("the README of $name says what $name says of itself; `vitest -u` brings it up to date", async (backend) => {
  await expectTable(`packages/backends/${backend.name}/README.md`, abilitiesOf(backend));
});

test("no backend is left out", async () => {
  expect(backends.map(({ name }) => name).toSorted()).toEqual((await readdir(join(root, "packages/backends"))).toSorted());
});

/** What stands above a table that is made here; the rest of a page is written by hand. */
const mark = "<!-- The table is made from what the storages say; `pnpm vitest run tools/docs -u` brings it up to date. -->";

async function expectTable(page: string, table: string): Promise<void> {
  const path = join(root, page);
  const [above = "", below = ""] = (await readFile(path, "utf8")).split(`${mark}\n\n`);
  await expect(`${above}${mark}\n\n${table}\n${below.replace(/^(\|.*\n)*/, "")}`).toMatchFileSnapshot(path);
}
