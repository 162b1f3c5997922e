import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseStorages } from "@stowage/config";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { Block } from "./pages.ts";
import { findPages, headingsOf, readBlocks, readLinks } from "./pages.ts";
import type { Failure, Program } from "./programs.ts";
import { Programs, runNode } from "./programs.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const pages = findPages(root);
const blocks = pages.flatMap((page) => readBlocks(root, page));
const inLanguage = (...languages: readonly string[]): Block[] => blocks.filter(({ language }) => languages.includes(language));

describe("TypeScript in the docs", () => {
  const code = inLanguage("ts");
  let programs: Programs;
  let failures: Map<Program, Failure[]>;

  beforeAll(async () => {
    programs = await Programs.write(code);
    failures = await programs.typeFailures();
  }, 60_000);
  afterAll(() => programs.remove());

  test.each(code.filter(({ flags }) => !flags.includes("expect-error")))("$page:$line compiles", (block) => {
    expect(failuresOf(block).map(({ page, line, message }) => `${page}:${line}: ${message}`)).toEqual([]);
  });

  test.each(code.filter(({ flags }) => flags.includes("expect-error")))(
    "$page:$line does not compile, for the reason it gives",
    (block) => {
      const messages = failuresOf(block)
        .map(({ message }) => message)
        .join("\n");
      const reasons = [...block.text.matchAll(/\/\/ "(.*)"$/gm)].map(([, reason]) => reason);
      expect(reasons).not.toEqual([]);
      for (const reason of reasons) expect(messages).toContain(reason);
    },
  );

  test.concurrent.each(code.filter(({ flags }) => flags.includes("run")))("$page:$line runs", async (block) => {
    await inFolder(async (folder) => {
      const file = inLanguage("yaml").findLast(
        ({ page, line, flags }) => page === block.page && line < block.line && flags.includes("storage.yaml"),
      );
      if (file !== undefined) await writeFile(join(folder, "storage.yaml"), file.text);
      const { failed, output } = await runNode([programOf(block).path], folder);
      expect(failed ? output : "").toBe("");
    });
  });

  const programOf = (block: Block): Program => programs.all.find((program) => program.block === block) as Program;
  const failuresOf = (block: Block): Failure[] => failures.get(programOf(block)) ?? [];
});

describe("YAML in the docs", () => {
  test.each(inLanguage("yaml"))("$page:$line is well formed", ({ text }) => {
    expect(parseAllDocuments(text).flatMap(({ errors }) => errors)).toEqual([]);
  });

  test.each(inLanguage("yaml").filter(({ flags }) => flags.includes("storage.yaml")))(
    "$page:$line describes storages",
    async ({ text }) => {
      await inFolder(async (directory) => {
        const names = [...text.matchAll(/fromEnv: *(\w+)/g)].map(([, name = ""]) => name);
        const env = Object.fromEntries(names.map((name) => [name, Buffer.alloc(32, 1).toString("base64")]));
        const storages = await parseStorages(text, { directory, env });
        await storages.close();
      });
    },
  );
});

describe("other code in the docs", () => {
  test.each(inLanguage("json"))("$page:$line is JSON", ({ text }) => {
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });

  test.each(inLanguage("sh"))("$page:$line is what a shell can read", async ({ text }) => {
    const complaint = await new Promise((resolve) => {
      execFile("bash", ["-n", "-c", text], (error, _, errors) => resolve(error === null ? "" : errors));
    });
    expect(complaint).toBe("");
  });

  test("says its language with a word that is known, or is plain text", () => {
    const known = ["ts", "yaml", "json", "sh", "", "text"];
    const flags = ["run", "continued", "expect-error", "storage.yaml"];
    const others = blocks.filter((block) => !known.includes(block.language) || !block.flags.every((flag) => flags.includes(flag)));
    expect(others.map(({ page, line, language, flags: words }) => `${page}:${line}: ${[language, ...words].join(" ")}`)).toEqual([]);
  });
});

describe("links in the docs", () => {
  test.each(pages)("%s leads to files and headings that are there", (page) => {
    const dead = readLinks(root, page).filter(({ file, heading }) => {
      if (!existsSync(join(root, file))) return true;
      return heading !== undefined && file.endsWith(".md") && !headingsOf(root, file).includes(heading);
    });
    expect(dead.map(({ line, file, heading }) => `${page}:${line}: ${file}${heading === undefined ? "" : `#${heading}`}`)).toEqual([]);
  });
});

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-docs-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
