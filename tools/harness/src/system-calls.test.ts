import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Child } from "./child.ts";
import { inFolder } from "./folder.ts";

const canTrace = ((): boolean => {
  try {
    execFileSync("strace", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

test.runIf(canTrace)(
  "every durable put is write, fsync of the file, rename, fsync of the folder, in this order (needs strace)",
  { timeout: 60_000 },
  () =>
    inFolder(async (folder) => {
      const trace = join(folder, "trace");
      const directory = join(folder, "data");
      const wrapper = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-o",
        trace,
        "-e",
        "trace=write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat",
      ];
      const child = new Child("put-once.ts", { directory, puts: 20 }, wrapper);
      await child.success();
      const steps = stepsIn(await readFile(trace, "utf8"), directory);
      expect(steps).toHaveLength(20);
      for (const step of steps) expect(step).toMatch(/^(write )+sync-file publish sync-folder$/);
    }),
);

/** For each publication, what was done to its temporary file before, and to its folder after. */
function stepsIn(trace: string, directory: string): string[] {
  const temporary = join(directory, ".stowage");
  const perFile = new Map<string, string[]>();
  const published: string[][] = [];
  const awaitingFolder: { folder: string; steps: string[] }[] = [];
  for (const line of wholeCalls(trace)) {
    const call = /^\d+ +(\w+)\(/.exec(line)?.[1];
    if (call === undefined) continue;
    const descriptor = /\(\d+<([^>]*)>/.exec(line)?.[1];
    if (/^p?writev?(64)?$/.test(call) && descriptor?.startsWith(temporary)) stepsOf(perFile, descriptor).push("write");
    else if (/^f(data)?sync$/.test(call) && descriptor?.startsWith(temporary)) stepsOf(perFile, descriptor).push("sync-file");
    else if (/^(rename|link)/.test(call) && line.endsWith("= 0")) {
      const [from, to] = [...line.matchAll(/"([^"]*)"/g)].map(([, path]) => path as string);
      if (from === undefined || to === undefined || !from.startsWith(temporary) || to.startsWith(temporary)) continue;
      const steps = [...stepsOf(perFile, from), "publish"];
      perFile.delete(from);
      published.push(steps);
      awaitingFolder.push({ folder: join(to, ".."), steps });
    } else if (/^f(data)?sync$/.test(call) && descriptor !== undefined) {
      for (const waiting of awaitingFolder.filter(({ folder }) => folder === descriptor)) {
        waiting.steps.push("sync-folder");
        awaitingFolder.splice(awaitingFolder.indexOf(waiting), 1);
      }
    }
  }
  return published.map((steps) => steps.join(" "));
}

/** The calls in the order of their ends. strace tells one in two lines where another thread's came in between. */
function wholeCalls(trace: string): string[] {
  const begun = new Map<string, string>();
  return trace.split("\n").flatMap((line) => {
    const [, thread = "", begin] = /^(\d+) +(.*?) *<unfinished \.\.\.>$/.exec(line) ?? [];
    if (begin !== undefined) {
      begun.set(thread, begin);
      return [];
    }
    const [, resumed = "", rest] = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    return [rest === undefined ? line : `${resumed} ${begun.get(resumed)}${rest}`];
  });
}

function stepsOf(perFile: Map<string, string[]>, path: string): string[] {
  const steps = perFile.get(path) ?? [];
  perFile.set(path, steps);
  return steps;
}
