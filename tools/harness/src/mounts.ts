import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { getuid } from "node:process";

/** Whether file systems can be mounted here: as root on Linux. In CI they must be. */
export const canMount: boolean = process.platform === "linux" && getuid?.() === 0;

/** Why tests that mount are left out, for their titles. */
export const withoutMounts = "needs root on Linux to mount a file system";

const run = (command: string, ...rest: string[]): string =>
  execFileSync(command, rest, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** A small file system in memory. */
export function mountMemory(folder: string, size: string): void {
  mkdirSync(folder, { recursive: true });
  run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder);
}

/** Gives a file system in memory more room. */
export function growMemory(folder: string, size: string): void {
  run("mount", "-o", `remount,size=${size}`, folder);
}

/** A file with an ext4 file system in it. */
export function makeImage(image: string, size: string): void {
  run("truncate", "-s", size, image);
  run("mkfs.ext4", "-q", "-F", image);
}

/** Mounts an image so that nothing reaches it by itself for a minute: only what was synchronised is in a copy of it. */
export function mountImage(image: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  run("mount", "-o", "loop,commit=60", image, folder);
}

export function unmount(folder: string): void {
  run("umount", "-l", folder);
}

/** What the disk holds at this moment, as after a loss of power. */
export function copyImage(image: string, copy: string): void {
  run("cp", "--sparse=always", image, copy);
}
