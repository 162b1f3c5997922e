import { afterEach, describe, expect, test } from "vitest";
import type { Block } from "./pages.ts";
import { Programs } from "./programs.ts";

describe("programs from blocks", () => {
  let programs: Programs | undefined;
  afterEach(() => programs?.remove());

  const failuresOf = async (...blocks: readonly Block[]): Promise<string[]> => {
    programs = await Programs.write(blocks);
    return [...(await programs.typeFailures()).values()].flat().map(({ page, line, message }) => `${page}:${line}: ${message}`);
  };
  const block = (line: number, text: string, ...flags: readonly string[]): Block => ({
    page: "page.md",
    line,
    language: "ts",
    flags,
    text,
  });

  test("a mistake is reported with its page and line", async () => {
    expect(await failuresOf(block(10, 'const text = "fine";\nconst count: number = text;\n'))).toEqual([
      "page.md:11: error TS2322: Type 'string' is not assignable to type 'number'.",
    ]);
  });

  test("a block that continues another knows its names, and its lines stay its own", async () => {
    const first = block(10, 'import { memoryStorage } from "@stowage/memory";\nconst storage = memoryStorage();\n');
    expect(await failuresOf(first, block(20, "await storage.get(1);\n", "continued"))).toEqual([
      expect.stringMatching(/^page\.md:20: error TS2345: .*'number' is not assignable/),
    ]);
  });

  test("a block that stands alone does not know the names of another", async () => {
    expect(await failuresOf(block(10, "const one = 1;\n"), block(20, "console.log(one);\n"))).toEqual([
      "page.md:20: error TS2304: Cannot find name 'one'.",
    ]);
  });

  test("an option that a package does not have is a mistake", async () => {
    const text = 'import { memoryStorage } from "@stowage/memory";\nmemoryStorage({ maxEntrys: 1 });\n';
    expect(await failuresOf(block(1, text))).toContainEqual(expect.stringMatching(/^page\.md:2: .*'maxEntrys' does not exist/));
  });
});
