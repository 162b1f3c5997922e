import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerName } from "./programs.ts";

/** A server that was started to stay, as it is written down for whoever stops it. */
export interface Started {
  readonly name: ServerName;
  readonly folder: string;
  /** What a program needs to know to use it. */
  readonly address: Readonly<Record<string, string>>;
  readonly processes: readonly StartedProcess[];
}

interface StartedProcess {
  readonly name: string;
  readonly pid: number;
  /** When it began, in the kernel's ticks: a later process with the same number is another one. */
  readonly began: string;
}

const path = join(tmpdir(), "stowage-servers.json");

export function startedServers(): readonly Started[] {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Started[]) : [];
}

export function writeDown(servers: readonly Started[]): void {
  if (servers.length === 0) return rmSync(path, { force: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(servers, null, 2));
  renameSync(draft, path);
}

export function processOf(name: string, pid: number): StartedProcess {
  return { name, pid, began: beganAt(pid) ?? "" };
}

export function isRunning({ pid, began }: StartedProcess): boolean {
  return began !== "" && beganAt(pid) === began;
}

/** Ends what was started, and nothing else, and removes its folder. */
export async function stopStarted({ processes, folder }: Started): Promise<void> {
  for (const started of processes.toReversed()) if (isRunning(started)) process.kill(started.pid, "SIGTERM");
  for (const started of processes) {
    for (let waited = 0; isRunning(started); waited += 50) {
      if (waited === 5_000) process.kill(started.pid, "SIGKILL");
      await sleep(50);
    }
  }
  rmSync(folder, { recursive: true, force: true });
}

/** The start time of a process that lives; field 22 of its status line. Source: proc(5) */
function beganAt(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...fields] = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : fields[18];
  } catch {
    return undefined;
  }
}
