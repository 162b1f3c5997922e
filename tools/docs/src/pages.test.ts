import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { headingsOf, readBlocks, readLinks } from "./pages.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stowage-pages-"));
});
afterAll(() => rmSync(root, { recursive: true }));

function page(text: string): string {
  writeFileSync(join(root, "page.md"), text);
  return "page.md";
}

test("a block has its language, its flags and the line where it begins", () => {
  const name = page("# Title\n\n```ts run\nconst one = 1;\n```\n\n- item\n\n  ```yaml storage.yaml\n  storages: {}\n  ```\n");
  expect(readBlocks(root, name)).toEqual([
    { page: name, line: 4, language: "ts", flags: ["run"], text: "const one = 1;\n" },
    { page: name, line: 10, language: "yaml", flags: ["storage.yaml"], text: "storages: {}\n" },
  ]);
});

test("a block that is never closed is an error", () => {
  expect(() => readBlocks(root, page("text\n```ts\nconst one = 1;\n"))).toThrow("page.md:2: this block is not closed.");
});

test("links are found with their line, those to other sites and in code are not", () => {
  const name = page("[a](other.md#some-part) and [b](https://example.org)\n[c](#here)\n```md\n[d](nowhere.md)\n```\n");
  expect(readLinks(root, name)).toEqual([
    { page: name, line: 1, file: "other.md", heading: "some-part" },
    { page: name, line: 2, file: name, heading: "here" },
  ]);
});

test("headings have the names that links give them", () => {
  expect(headingsOf(root, page("# The `json()` codec\n\n## 2. Put & get\n"))).toEqual(["the-json-codec", "2-put--get"]);
});
