import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Stops a process with SIGSTOP, and waits until all its threads stand: the signal alone lets them run on for a moment. */
export async function holdStill(child: ChildProcess): Promise<void> {
  child.kill("SIGSTOP");
  const threads = `/proc/${child.pid}/task`;
  while (readdirSync(threads).some((thread) => isRunning(`${threads}/${thread}`))) await sleep(5);
}

/** By the letter that Linux has for what a thread is doing; proc_pid_stat(5). It comes after the name, which may hold anything. */
function isRunning(thread: string): boolean {
  try {
    const text = readFileSync(`${thread}/stat`, "latin1");
    return text[text.lastIndexOf(")") + 2] !== "T";
  } catch {
    return false; // it has ended
  }
}
