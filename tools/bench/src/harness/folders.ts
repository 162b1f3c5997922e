import { closeSync, fsync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { open, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "./calls.ts";

let temporaryFiles = 0;

/** A temporary file and a rename, by hand, on the thread pool: no torn values, gone with the power. */
export function byHandOnThePool(folder: string): Store<Uint8Array> {
  return {
    get: (key) => readFile(join(folder, key)),
    async put(key, value) {
      const temporary = join(folder, `.tmp-${temporaryFiles++}`);
      await writeFile(temporary, value, { flag: "wx" });
      await rename(temporary, join(folder, key));
    },
  };
}

/** The same by synchronous calls. */
export function byHandSynchronously(folder: string): Store<Uint8Array> {
  return {
    async get(key) {
      return readFileSync(join(folder, key));
    },
    async put(key, value) {
      const temporary = join(folder, `.tmp-${temporaryFiles++}`);
      writeFileSync(temporary, value, { flag: "wx" });
      renameSync(temporary, join(folder, key));
    },
  };
}

/** What survives loss of power, by hand on the thread pool: the file is synced, renamed, and then its folder is synced. */
export function byHandDurably(folder: string): Store<Uint8Array> {
  return {
    get: (key) => readFile(join(folder, key)),
    async put(key, value) {
      const temporary = join(folder, `.tmp-${temporaryFiles++}`);
      const file = await open(temporary, "wx");
      await file.writeFile(value);
      await file.sync();
      await file.close();
      await rename(temporary, join(folder, key));
      const names = await open(folder);
      await names.sync();
      await names.close();
    },
  };
}

/** The same with all but the syncs done synchronously. */
export function byHandDurablyDirect(folder: string): Store<Uint8Array> {
  const sync = (fd: number): Promise<void> => new Promise((resolve, reject) => fsync(fd, (error) => (error ? reject(error) : resolve())));
  return {
    async get(key) {
      return readFileSync(join(folder, key));
    },
    async put(key, value) {
      const temporary = join(folder, `.tmp-${temporaryFiles++}`);
      const file = openSync(temporary, "wx");
      writeSync(file, value);
      await sync(file);
      closeSync(file);
      renameSync(temporary, join(folder, key));
      const names = openSync(folder, "r");
      await sync(names);
      closeSync(names);
    },
  };
}
