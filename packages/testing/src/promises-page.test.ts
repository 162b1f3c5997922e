import { expect, test } from "vitest";
import * as fc from "fast-check";
import { codecPromises, contract, layerPromises, sections } from "./contract.ts";

test("docs/promises.md lists every promise that the suites check", async () => {
  await expect(page()).toMatchFileSnapshot("../../../docs/promises.md");
});

test("every promise has a name of its own", () => {
  const names = contract.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test("every section of the contract has promises, in the order of the sections", () => {
  const numbers = contract.map(({ section }) => section);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(Array.from(new Set(numbers), String)).toEqual(Object.keys(sections));
});

/** The names as a page; `vitest run -u` writes it anew. */
function page(): string {
  return [
    "# The promises",
    "",
    "Every storage keeps these promises; a test of this name proves each. The list is made from the suites in",
    "[`@stowage/testing`](../packages/testing/README.md), so it cannot say more or less than they check.",
    "",
    `${contract.length} promises of a storage, in the order of the contract. What stands in brackets is needed to keep a promise; a storage`,
    "that lacks it, by its `capabilities`, must refuse instead, with `unsupported` and before any I/O.",
    ...Object.entries(sections).flatMap(([number, title]) => [
      "",
      `## ${number}. ${title}`,
      "",
      ...contract.filter(({ section }) => section === Number(number)).map(({ name, needs }) => item(name, needs)),
    ]),
    "",
    "## Layers",
    "",
    "A layer keeps all of the above on whatever it stands, and:",
    "",
    ...layerPromises({ create: (inner) => inner }).map(({ name }) => item(name)),
    "",
    "## Codecs",
    "",
    "A codec is a layer, and:",
    "",
    ...codecPromises({ create: () => (inner) => inner, arbitrary: fc.anything() }).map(({ name }) => item(name)),
    "",
  ].join("\n");
}

const item = (name: string, needs: readonly string[] = []): string =>
  `- ${escaped(name)}${needs.length === 0 ? "" : ` \\[${needs.join(", ")}\\]`}`;

/** Keeps Markdown from reading what stands in a name. */
const escaped = (name: string): string => name.replaceAll(/[\\`*_{}[\]<>#~|]/g, "\\$&");
