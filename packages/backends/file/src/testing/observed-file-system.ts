import type { DirectCalls, FileCalls, FileLock, FileSystem } from "../file-system.ts";
import { nodeFileSystem } from "../file-system.ts";

/** One call to the system on its way. */
export interface SystemCall {
  readonly name: keyof FileCalls;
  readonly args: readonly unknown[];
  readonly direct: boolean;
}

/** What a test does in place of a call, or around it. Direct calls must be answered at once. */
export type Interference = (call: SystemCall, go: () => unknown) => unknown;

/** The disk, with every call seen, and changed where a test wants that. */
export class ObservedFileSystem implements FileSystem {
  readonly direct: DirectCalls;
  readonly pool: FileCalls;
  /** The calls so far, as `"rename"`; `"pool fsync"` for those on the pool. */
  readonly log: string[] = [];
  /** Files and folders that are open. */
  readonly open: Set<unknown> = new Set();
  interfere: Interference = (_, go) => go();
  /** Locks that are open. */
  locks = 0;

  readonly platform: NodeJS.Platform | undefined;

  constructor(below: FileSystem = nodeFileSystem) {
    this.platform = below.platform;
    this.direct = this.#observe(below.direct, true) as DirectCalls;
    this.pool = this.#observe(below.pool, false);
    this.#below = below;
  }

  readonly #below: FileSystem;

  async openLock(path: string): Promise<FileLock> {
    const lock = await this.#below.openLock(path);
    this.locks++;
    return {
      tryAcquire: () => lock.tryAcquire(),
      release: () => lock.release(),
      close: () => {
        this.locks--;
        lock.close();
      },
    };
  }

  #observe(calls: FileCalls, direct: boolean): FileCalls {
    const observed = Object.entries(calls).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
      name,
      (...args: unknown[]) => {
        this.log.push(direct ? name : `pool ${name}`);
        const go = (): unknown => this.#track(name, args, call(...args));
        if (direct) return this.interfere({ name: name as keyof FileCalls, args, direct }, go);
        return (async () => await this.interfere({ name: name as keyof FileCalls, args, direct }, go))();
      },
    ]);
    return Object.fromEntries(observed) as FileCalls;
  }

  #track(name: string, args: readonly unknown[], answer: unknown): unknown {
    if (name === "close") this.open.delete(args[0]);
    if (name !== "open" && name !== "opendir") return answer;
    const opened = (handle: unknown): unknown => {
      this.open.add(handle);
      if (name === "opendir") {
        const reader = handle as { close: () => unknown };
        const { close } = reader;
        reader.close = () => {
          this.open.delete(handle);
          return close();
        };
      }
      return handle;
    };
    return answer instanceof Promise ? answer.then(opened) : opened(answer);
  }
}

/** An error as `node:fs` gives it. */
export function systemError(code: string, syscall = "test"): Error {
  return Object.assign(new Error(`${code}: made by a test, ${syscall}`), { code, syscall, errno: -1 });
}

/**
 * Lets the n-th call fail, counted from now, before its effect or after it, and answers whether there was one. A file is
 * closed also where `close` fails.
 */
export function failAt(fileSystem: ObservedFileSystem, n: number, code: string, when: "before" | "after"): () => SystemCall | undefined {
  let count = 0;
  let failed: SystemCall | undefined;
  fileSystem.interfere = (call, go) => {
    if (++count !== n) return go();
    failed = call;
    const error = systemError(code, call.name);
    if (call.name !== "close" && (when === "before" || call.name === "open" || call.name === "opendir")) throw error;
    const done = go();
    if (!(done instanceof Promise)) throw error;
    return done.then(() => {
      throw error;
    });
  };
  return () => failed;
}
