import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A fenced block of a page. */
export interface Block {
  readonly page: string;
  /** The line of its first line. */
  readonly line: number;
  /** The first word behind the fence. */
  readonly language: string;
  /** The other words: `run`, `continued`, `expect-error`, `storage.yaml`. */
  readonly flags: readonly string[];
  readonly text: string;
}

/** A link from one page to another file of the repository. */
export interface Link {
  readonly page: string;
  readonly line: number;
  /** From the root, without what follows the `#`. */
  readonly file: string;
  readonly heading: string | undefined;
}

/** Every page that is read by people, from the root of the repository. */
export function findPages(root: string): string[] {
  const patterns = ["*.md", "docs/**/*.md", "packages/**/README.md", "examples/*/README.md"];
  return globSync(patterns, { cwd: root, exclude: ["**/node_modules/**", "**/dist/**"] }).toSorted();
}

export function readBlocks(root: string, page: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; indent: number; words: string[]; lines: string[] } | undefined;
  for (const [index, line] of readFileSync(join(root, page), "utf8").split("\n").entries()) {
    const fence = /^( *)```(.*)$/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { line: index + 2, indent: fence[1]?.length ?? 0, words: (fence[2] ?? "").trim().split(/\s+/), lines: [] };
    } else if (fence !== null) {
      const { words, lines } = open;
      blocks.push({ page, line: open.line, language: words[0] ?? "", flags: words.slice(1), text: `${lines.join("\n")}\n` });
      open = undefined;
    } else open.lines.push(line.slice(open.indent));
  }
  if (open !== undefined) throw new Error(`${page}:${open.line - 1}: this block is not closed.`);
  return blocks;
}

export function readLinks(root: string, page: string): Link[] {
  return proseOf(root, page).flatMap(({ line, text }) =>
    [...text.matchAll(/\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]*))?\)/g)].map(([, target = "", heading]) => ({
      page,
      line,
      file: target === "" ? page : join(dirname(page), target),
      heading,
    })),
  );
}

/** The headings of a page, as links name them. */
export function headingsOf(root: string, page: string): string[] {
  return proseOf(root, page)
    .filter(({ text }) => /^#+ /.test(text))
    .map(({ text }) =>
      text
        .replace(/^#+ /, "")
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\- _]/gu, "")
        .replaceAll(" ", "-"),
    );
}

/** The lines outside blocks, without code in the line. */
function proseOf(root: string, page: string): { line: number; text: string }[] {
  let inside = false;
  const lines = readFileSync(join(root, page), "utf8")
    .split("\n")
    .map((text, index) => ({ line: index + 1, text }));
  return lines.filter(({ text }) => {
    if (/^ *```/.test(text)) {
      inside = !inside;
      return false;
    }
    return !inside;
  });
}
