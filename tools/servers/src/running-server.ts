import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { holdStill } from "./hold-still.ts";
import { pathOf } from "./programs.ts";

/** Milliseconds that a server has to answer, and to end. */
const patience = 60_000;

export interface ServerOptions {
  /** Whether it lives on when this process ends; `pnpm servers down` stops it then. @default false */
  readonly detached?: boolean | undefined;
}

/** A server with all its processes, in a folder of its own. */
export class RunningServer {
  readonly folder: string;
  readonly #detached: boolean;
  readonly #processes = new Map<string, ChildProcess>();
  readonly #onExit = (): void => this.#killAll();

  constructor(folder: string, { detached = false }: ServerOptions = {}) {
    this.folder = folder;
    this.#detached = detached;
    mkdirSync(join(folder, "log"), { recursive: true });
    if (!detached) process.once("exit", this.#onExit);
  }

  static async make(name: string, options?: ServerOptions): Promise<RunningServer> {
    return new RunningServer(await mkdtemp(join(tmpdir(), `stowage-${name}-`)), options);
  }

  /** The processes by name. */
  get processes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#processes].map(([name, { pid }]) => [name, pid!]));
  }

  /** Starts a program as one of the server's processes, which is called `name`. */
  spawn(name: string, program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const log = openSync(join(this.folder, "log", `${name}.out`), "a");
    const child = spawn(pathOf(program) ?? program, args, {
      cwd: this.folder,
      detached: this.#detached,
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log],
      ...this.#owner,
    });
    if (this.#detached) child.unref();
    this.#processes.set(name, child);
  }

  /** Runs a program to its end; throws with what it said where that was not a good one. */
  run(program: string, args: readonly string[], { env = {}, input }: { env?: Record<string, string>; input?: string } = {}): string {
    const result = spawnSync(pathOf(program) ?? program, args, {
      cwd: this.folder,
      env: { ...process.env, ...env },
      input,
      encoding: "utf8",
      timeout: patience,
      ...this.#owner,
    });
    if (result.status === 0) return result.stdout;
    throw new Error(`${program} ${args.join(" ")} failed: ${result.stderr || result.stdout || String(result.error)}`);
  }

  /** Programs that refuse to be run by root belong to this user. */
  runAs(user: string): void {
    if (userInfo().uid !== 0) return;
    const id = (flag: string): number => Number(spawnSync("id", [flag, user], { encoding: "utf8" }).stdout);
    this.#owner = { uid: id("-u"), gid: id("-g") };
    spawnSync("chown", ["-R", user, this.folder]);
  }

  #owner: { uid?: number; gid?: number } = {};

  /** Waits until something works, tried again and again. Throws with the end of the logs where a process ended, or it took too long. */
  async until(what: string, works: () => Promise<boolean> | boolean): Promise<void> {
    const end = Date.now() + patience;
    for (;;) {
      if (await succeeds(works)) return;
      const ended = [...this.#processes].find(([, { exitCode, signalCode }]) => exitCode !== null || signalCode !== null);
      if (ended !== undefined) throw new Error(`${ended[0]} ended before ${what}: ${this.#log(ended[0])}`);
      if (Date.now() > end)
        throw new Error(
          `${what}: not within ${patience / 1000} s. ${[...this.#processes.keys()].map((name) => this.#log(name)).join("\n")}`,
        );
      await sleep(20);
    }
  }

  /** Holds a process still, and waits until all its threads stand. */
  async pause(name: string): Promise<void> {
    await holdStill(this.#processes.get(name)!);
  }

  resume(name: string): void {
    this.#processes.get(name)?.kill("SIGCONT");
  }

  /** Ends one process at once, as a crash would. */
  async kill(name: string): Promise<void> {
    await this.#end(name, "SIGKILL");
  }

  /** Ends all processes and removes the folder. */
  async stop(): Promise<void> {
    for (const name of [...this.#processes.keys()].toReversed()) await this.#end(name, "SIGTERM");
    process.removeListener("exit", this.#onExit);
    await rm(this.folder, { recursive: true, force: true });
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#processes.get(name);
    this.#processes.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGCONT");
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(late);
  }

  #killAll(): void {
    for (const child of this.#processes.values()) child.kill("SIGKILL");
  }

  #log(name: string): string {
    return readFileSync(join(this.folder, "log", `${name}.out`), "utf8").slice(-2_000);
  }
}

async function succeeds(works: () => Promise<boolean> | boolean): Promise<boolean> {
  try {
    return await works();
  } catch {
    return false;
  }
}

/** Whether something answers HTTP requests at this address, with whatever status. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return true;
}
