import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The command in a process of its own, with what it says. */
export class Command {
  readonly process: ChildProcess;
  /** Lines of the output, and of the error output, as they came. */
  readonly lines: string[] = [];
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const program = ["--conditions=@stowage/source", "--no-warnings", join(import.meta.dirname, "../main.ts"), ...args];
    this.process = spawn(process.execPath, program, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const readers = [this.process.stdout, this.process.stderr].map((stream) => createInterface({ input: stream! }));
    for (const reader of readers) {
      reader.on("line", (line) => {
        this.lines.push(line);
        this.#check();
      });
    }
    this.#ended = Promise.all([once(this.process, "exit"), ...readers.map((reader) => once(reader, "close"))]);
  }

  /** Resolves when so many lines have begun with a word, or when the command has ended. */
  async says(word: string, count = 1): Promise<void> {
    const enough = new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.lines.filter((line) => line.startsWith(word)).length >= count) resolve();
      };
      this.#waiting.add(check);
      check();
    });
    await Promise.race([enough, this.#ended]);
  }

  /** Waits for the end. Gives the exit code, or nothing where it was killed. */
  async end(): Promise<number | undefined> {
    await this.#ended;
    return this.process.exitCode ?? undefined;
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#ended;
  }

  get output(): string {
    return this.lines.join("\n");
  }

  #check(): void {
    for (const check of this.#waiting) check();
  }
}
