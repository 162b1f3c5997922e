import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A script of this folder in a process of its own, which reports in lines. */
export class Child {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  /** Resolves when the process has ended and all it said was read. */
  readonly ended: Promise<void>;
  #errors = "";
  readonly #waiting = new Set<() => void>();

  constructor(script: string, options: object, wrapper: readonly string[] = []) {
    const node = [
      process.execPath,
      "--no-wasm-code-gc", // as for the tests themselves: see vitest.config.ts
      "--no-memory-protection-keys",
      "--conditions=@stowage/source",
      "--no-warnings",
      join(import.meta.dirname, script),
      JSON.stringify(options),
    ];
    const [command, ...rest] = [...wrapper, ...node];
    this.process = spawn(command as string, rest, { stdio: ["ignore", "pipe", "pipe"] });
    this.process.stderr?.on("data", (chunk: Buffer) => (this.#errors += chunk.toString()));
    const reader = createInterface({ input: this.process.stdout! });
    reader.on("line", (line) => {
      this.lines.push(line);
      for (const check of this.#waiting) check();
    });
    this.ended = Promise.all([once(this.process, "exit"), once(reader, "close")]).then(() => {
      for (const check of this.#waiting) check();
    });
  }

  /** Waits until so many lines begin with a word; throws when the process ends before. */
  async until(word: string, count: number): Promise<void> {
    const enough = (): boolean => this.count(word) >= count;
    if (enough()) return;
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (enough()) resolve();
        else if (this.process.exitCode !== null || this.process.signalCode !== null)
          reject(new Error(`The process ended early: ${this.#errors}`));
        else return;
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  count(word: string): number {
    return this.lines.filter((line) => line.startsWith(word)).length;
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  /** Waits for the end; throws where it was not a good one. */
  async success(): Promise<void> {
    await this.ended;
    if (this.process.exitCode !== 0)
      throw new Error(`The process ended with ${this.process.exitCode ?? this.process.signalCode}: ${this.#errors}`);
  }
}
