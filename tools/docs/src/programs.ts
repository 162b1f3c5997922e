import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Block } from "./pages.ts";

/** A block as a program of its own, after those it continues. */
export interface Program {
  readonly block: Block;
  readonly path: string;
  /** Lines that stand before the block's own. */
  readonly before: number;
}

export interface Failure {
  readonly page: string;
  readonly line: number;
  readonly message: string;
}

const workspace = fileURLToPath(new URL("../../..", import.meta.url));

/** Programs in a folder from which the packages are found, until they are disposed of. */
export class Programs {
  readonly all: readonly Program[];
  readonly #folder: string;

  private constructor(folder: string, all: readonly Program[]) {
    this.#folder = folder;
    this.all = all;
  }

  static async write(blocks: readonly Block[]): Promise<Programs> {
    const parent = fileURLToPath(new URL("../.blocks/", import.meta.url));
    await mkdir(parent, { recursive: true });
    const folder = await mkdtemp(parent);
    const programs: Program[] = [];
    let text = "";
    for (const [index, block] of blocks.entries()) {
      if (!block.flags.includes("continued")) text = "";
      const program = { block, path: join(folder, `block-${index}.ts`), before: text.split("\n").length - 1 };
      text += block.text;
      await writeFile(program.path, `${text}export {};\n`);
      programs.push(program);
    }
    return new Programs(folder, programs);
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }

  /** What the compiler says of all of them, in one run. */
  async typeFailures(): Promise<Map<Program, Failure[]>> {
    const settings = {
      extends: "../../../../tsconfig.json",
      compilerOptions: { isolatedDeclarations: false, declaration: false, noUnusedLocals: false },
      include: ["*.ts"],
    };
    await writeFile(join(this.#folder, "tsconfig.json"), JSON.stringify(settings));
    const { output } = await runNode(
      [join(workspace, "node_modules/typescript/bin/tsc"), "--pretty", "false", "-p", "tsconfig.json"],
      this.#folder,
    );
    const failures = new Map<Program, Failure[]>(this.all.map((program) => [program, []]));
    const elsewhere: string[] = [];
    let last: Failure[] | undefined;
    for (const line of output.split("\n")) {
      const [, name, at, message = ""] = /^(block-\d+\.ts)\((\d+),\d+\): (.*)$/.exec(line) ?? [];
      const program = this.all.find(({ path }) => name !== undefined && path.endsWith(`/${name}`));
      if (program !== undefined) {
        last = failures.get(program);
        last?.push({ page: program.block.page, line: program.block.line + Number(at) - 1 - program.before, message });
      } else if (/^\s/.test(line)) last?.push({ ...(last.at(-1) as Failure), message: line.trim() });
      else if (line !== "") elsewhere.push(line);
    }
    if (elsewhere.length > 0) throw new Error(`The compiler could not look at the blocks:\n${elsewhere.join("\n")}`);
    return failures;
  }
}

/** Runs a program in a folder with the sources of the packages; `failed` tells whether it ended with anything but 0. */
export function runNode(parameters: readonly string[], folder: string): Promise<{ failed: boolean; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--conditions=@stowage/source", ...parameters],
      { cwd: folder, timeout: 30_000 },
      (error, output, errors) => {
        resolve({ failed: error !== null, output: output + errors });
      },
    );
  });
}
