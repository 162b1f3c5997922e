import { execFileSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ByteStorage } from "@stowage/core";
import { StorageError, update } from "@stowage/core";
import { describe, expect, test } from "vitest";
import type { FileOptions } from "./file-storage.ts";
import { fileStorage } from "./file-storage.ts";
import { nodeFileSystem } from "./file-system.ts";
import { Locks } from "./locks.ts";
import { bytes, draftsIn, freshFolder, open, textUnder } from "./testing/folders.ts";
import { ObservedFileSystem, systemError } from "./testing/observed-file-system.ts";

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Whether work ends by itself within a while; it may be held up by whoever asks. */
async function endsSoon(work: Promise<unknown>): Promise<void> {
  const end = { reached: false };
  const reach = (): void => void (end.reached = true);
  work.then(reach, reach);
  for (let turns = 0; !end.reached && turns < 300; turns++) await turn();
}

/** What a change came to: its value if it was acknowledged. */
async function outcomeOf(change: Promise<unknown>): Promise<"done" | "refused"> {
  try {
    await change;
    return "done";
  } catch (error) {
    if (StorageError.is(error, "precondition-failed")) return "refused";
    throw error;
  }
}

interface Case {
  /** The change that is interrupted. */
  readonly first: (storage: ByteStorage, etag: string | undefined) => Promise<unknown>;
  /** The change of another storage that comes in between, as a whole. */
  readonly second: (storage: ByteStorage, etag: string | undefined) => Promise<unknown>;
  readonly before: string | undefined;
  /** What may have come of it: the ends of both, and what is there then. */
  readonly allowed: readonly string[];
}

const put = (text: string) => (storage: ByteStorage) => storage.put("key", bytes(text));
const replace = (text: string) => (storage: ByteStorage, etag: string | undefined) => storage.put("key", bytes(text), { ifMatch: etag });
const create = (text: string) => (storage: ByteStorage) => storage.put("key", bytes(text), { ifNoneMatch: "*" });
const remove = (storage: ByteStorage) => storage.delete("key");
const removeIf = (storage: ByteStorage, etag: string | undefined) => storage.delete("key", { ifMatch: etag });
const write = (text: string) => (storage: ByteStorage) => storage.write("key", new Blob([text]));

/** Each outcome is one that the two changes have one after the other, in either order. */
const cases: Record<string, Case> = {
  "put and put": { first: put("1"), second: put("2"), before: "0", allowed: ["done done 1", "done done 2"] },
  "replace and put": { first: replace("1"), second: put("2"), before: "0", allowed: ["done done 2", "refused done 2"] },
  "put and replace": { first: put("1"), second: replace("2"), before: "0", allowed: ["done done 1", "done refused 1"] },
  "replace and replace": { first: replace("1"), second: replace("2"), before: "0", allowed: ["done refused 1", "refused done 2"] },
  "replace and write": { first: replace("1"), second: write("2"), before: "0", allowed: ["done done 2", "refused done 2"] },
  "replace and delete": { first: replace("1"), second: remove, before: "0", allowed: ["done done undefined", "refused done undefined"] },
  "replace and delete of a version": {
    first: replace("1"),
    second: removeIf,
    before: "0",
    allowed: ["done refused 1", "refused done undefined"],
  },
  "delete of a version and put": { first: removeIf, second: put("2"), before: "0", allowed: ["done done 2", "refused done 2"] },
  "delete of a version and replace": {
    first: removeIf,
    second: replace("2"),
    before: "0",
    allowed: ["done refused undefined", "refused done 2"],
  },
  "create and create": { first: create("1"), second: create("2"), before: undefined, allowed: ["done refused 1", "refused done 2"] },
  "create and put": { first: create("1"), second: put("2"), before: undefined, allowed: ["done done 2", "refused done 2"] },
  "put and create": { first: put("1"), second: create("2"), before: undefined, allowed: ["done refused 1", "done done 1"] },
};

/** Ends a change of one storage between any two calls of another's. */
async function interrupt({ first, second, before, allowed }: Case, warm: boolean, durability: FileOptions["durability"]): Promise<number> {
  const directory = await freshFolder();
  const seen = new Set<string>();
  for (let n = 1; ; n++) {
    const fileSystem = new ObservedFileSystem();
    const one = fileStorage({ directory, io: "pool", durability, fileSystem });
    const two = fileStorage({ directory, durability });
    const check = fileStorage({ directory, durability });
    const etag = before === undefined ? undefined : (await one.put("key", bytes(before))).etag;
    if (warm) await one.put("warm", bytes("warm"));
    let count = 0;
    let other: Promise<"done" | "refused"> | undefined;
    fileSystem.interfere = async ({ direct }, go) => {
      if (!direct && ++count === n) {
        other = outcomeOf(second(two, etag));
        await endsSoon(other);
      }
      return await go();
    };
    const direct = fileSystem.interfere;
    fileSystem.interfere = (call, go) => (call.direct ? go() : direct(call, go));
    const mine = await outcomeOf(first(one, etag));
    const reached = other !== undefined;
    const theirs = await (other ?? outcomeOf(second(two, etag)));
    const result = `${mine} ${theirs} ${await textUnder(check, "key")}`;
    expect(allowed, `in call ${n}`).toContain(result);
    seen.add(result);
    await Promise.all([one, two].map((storage) => storage.close()));
    await check.clear();
    await check.close();
    expect(await draftsIn(directory)).toEqual([]);
    if (!reached) return seen.size;
  }
}

describe("a change that another storage makes in the midst of one", () => {
  describe.each(["process", "power"] as const)("durability %s", (durability) => {
    test.each(Object.keys(cases))("%s come out as one after the other, wherever they meet", async (name) => {
      await interrupt(cases[name]!, true, durability);
    });
  });

  test.each(Object.keys(cases))("%s come out as one after the other also when both storages are new", async (name) => {
    await interrupt(cases[name]!, false, "process");
  });
});

describe("a change that another process makes while this one is in the midst of a direct call", () => {
  /** Puts from a process of its own, and waits for it without giving up the thread. */
  const putElsewhere = (directory: string): void => {
    const code = `
      import { fileStorage } from "@stowage/file";
      const storage = fileStorage({ directory: ${JSON.stringify(directory)}, durability: "process" });
      await storage.put("key", new TextEncoder().encode("2"));
      await storage.close();`;
    const folder = fileURLToPath(new URL("..", import.meta.url));
    execFileSync(process.execPath, ["--conditions=@stowage/source", "--no-warnings", "--input-type=module", "--eval", code], {
      cwd: folder,
    });
  };

  test.each(["replace and put", "put and put"])("%s come out as one after the other, wherever they meet", async (name) => {
    const { first, allowed } = cases[name]!;
    const directory = await freshFolder();
    for (let n = 1; ; n++) {
      const fileSystem = new ObservedFileSystem();
      const one = fileStorage({ directory, durability: "process", fileSystem });
      const { etag } = await one.put("key", bytes("0"));
      await one.put("warm", bytes("warm"));
      let count = 0;
      fileSystem.interfere = ({ direct }, go) => {
        if (direct && ++count === n) putElsewhere(directory);
        return go();
      };
      const mine = await outcomeOf(first(one, etag));
      fileSystem.interfere = (_, go) => go();
      const reached = count >= n;
      if (reached) expect(allowed, `in call ${n}`).toContain(`${mine} done ${await textUnder(one, "key")}`);
      await one.close();
      expect(await draftsIn(directory)).toEqual([]);
      if (!reached) break;
    }
  });
});

describe("a key above and a key below", () => {
  test("never both get a value, wherever their writers meet", async () => {
    for (const [mine, theirs] of [
      ["a", "a/b"],
      ["a/b", "a"],
      ["a/b/c", "a/b"],
    ] as const) {
      for (let n = 1; ; n++) {
        const directory = await freshFolder();
        const fileSystem = new ObservedFileSystem();
        const [one, two] = [open(directory, { io: "pool", fileSystem }), open(directory)];
        await one.put("warm", bytes("warm"));
        let count = 0;
        let other: Promise<string> | undefined;
        const interfere = async (go: () => unknown): Promise<unknown> => {
          if (++count === n) {
            other = refusedKeyOf(two.put(theirs, bytes("theirs")));
            await endsSoon(other);
          }
          return await go();
        };
        fileSystem.interfere = ({ direct }, go) => (direct ? go() : interfere(go));
        const results = [await refusedKeyOf(one.put(mine, bytes("mine"))), await (other ?? refusedKeyOf(two.put(theirs, bytes("theirs"))))];
        expect(results.toSorted(), `${mine} and ${theirs}, in call ${n}`).toEqual(["done", "invalid-key"]);
        const winner = results[0] === "done" ? mine : theirs;
        expect((await two.list()).entries).toEqual([{ key: winner }, { key: "warm" }]);
        await Promise.all([one.close(), two.close()]);
        if (other === undefined) break;
      }
    }
  });
});

/** How a put ended. */
const refusedKeyOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "done",
    (error: unknown) => (error as StorageError).code,
  );

describe("a lock that another process holds", () => {
  test("is waited for, until the wait is aborted or has lasted long enough", async () => {
    const folder = await freshFolder();
    const other = new Locks(nodeFileSystem, folder);
    const mine = new Locks(nodeFileSystem, folder, 30);
    await other.acquire(3, true, undefined);
    await expect(mine.acquire(3, true, undefined)).rejects.toMatchObject({ code: "unavailable", retryable: true });
    const stop = new AbortController();
    const waiting = mine.acquire(3, true, stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await mine.acquire(4, true, undefined);
    const next = mine.acquire(3, true, undefined);
    other.release(3);
    await next;
    const queued = mine.acquire(3, false, undefined);
    mine.release(3);
    await queued;
    mine.release(3);
    expect(mine.acquire(3, false, undefined)).toBeUndefined();
    mine.close();
    other.close();
  });
});

describe("many writers", () => {
  test("of one folder count without losing one", async () => {
    const directory = await freshFolder();
    const storages = [open(directory), open(directory), open(directory, { io: "pool" }), open(directory, { io: "pool" })];
    await storages[0]!.put("counter", bytes("0"));
    await Promise.all(
      storages.map(async (storage) => {
        for (let round = 0; round < 25; round++) {
          await update(storage, "counter", (value) => bytes(String(Number(new TextDecoder().decode(value)) + 1)), { attempts: 1_000 });
        }
      }),
    );
    expect(await textUnder(storages[0]!, "counter")).toBe("100");
  });

  test("that create one key have one winner", async () => {
    const directory = await freshFolder();
    const storages = Array.from({ length: 8 }, (_, index) => open(directory, { io: index % 2 === 0 ? "auto" : "pool" }));
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.all(
        storages.map((storage, me) => outcomeOf(storage.put(`key ${round}`, bytes(String(me)), { ifNoneMatch: "*" }))),
      );
      expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(1);
      expect(await textUnder(storages[0]!, `key ${round}`)).toBe(String(outcomes.indexOf("done")));
    }
  });

  test("give every value another version, also where their files take turns", async () => {
    const directory = await freshFolder();
    const storages = [open(directory), open(directory, { io: "pool" }), open(directory, { io: "pool" })];
    const etags: string[] = [];
    await Promise.all(
      storages.map(async (storage) => {
        for (let round = 0; round < 100; round++) etags.push((await storage.put("key", bytes("same"))).etag!);
      }),
    );
    expect(new Set(etags).size).toBe(300);
  });
});

describe("the only writer", () => {
  test("takes no lock", async () => {
    const directory = await freshFolder();
    let locks = 0;
    const fileSystem = new ObservedFileSystem({
      ...nodeFileSystem,
      async openLock(path) {
        const lock = await nodeFileSystem.openLock(path);
        return { ...lock, tryAcquire: () => (locks++, lock.tryAcquire()) };
      },
    });
    const storage = open(directory, { fileSystem });
    await storage.put("key", bytes("value"));
    locks = 0;
    const { etag } = await storage.put("key", bytes("value"));
    await storage.put("key", bytes("value"), { ifMatch: etag });
    await storage.write("key", new Blob(["value"]));
    expect(locks).toBe(0);
    const other = open(directory);
    await other.put("other", bytes("value"));
    locks = 0;
    await storage.put("key", bytes("value"));
    expect(locks).toBe(1);
    expect(await textUnder(other, "key")).toBe("value");
  });

  test("leaves the next one alone when it closes", async () => {
    const directory = await freshFolder();
    const first = open(directory);
    await first.put("key", bytes("1"));
    await first.close();
    expect((await readdir(join(directory, ".stowage"))).toSorted()).toEqual(["locks", "owners", "tmp"]);
    expect(await readdir(join(directory, ".stowage/owners"))).toEqual([]);
    const second = open(directory);
    await second.put("key", bytes("2"));
    expect(await readdir(join(directory, ".stowage"))).toContain("solo");
  });
});

describe("drafts that were left over", () => {
  const dead = "0123456789abcdef".repeat(2);

  test("are swept at open and counted, wherever they are", async () => {
    const directory = await freshFolder();
    for (const folder of ["tmp", "solo", "owners", "locks"]) await mkdir(join(directory, ".stowage", folder), { recursive: true });
    await writeFile(join(directory, ".stowage/tmp", `${dead}-0`), "left over");
    await writeFile(join(directory, ".stowage/solo", `${dead}-1`), "left over");
    await writeFile(join(directory, ".stowage/owners", dead), "");
    await writeFile(join(directory, ".stowage/tmp/notes.txt"), "not ours");
    const storage = open(directory);
    expect(await storage.get("key")).toBeUndefined();
    expect(storage.details().stats["temporaryFilesSwept"]).toBe(2);
    expect(await draftsIn(directory)).toEqual(["notes.txt"]);
    expect(await readdir(join(directory, ".stowage/owners"))).toEqual([]);
  });

  test("are not taken from a writer that lives", async () => {
    const directory = await freshFolder();
    const fileSystem = new ObservedFileSystem();
    const slow = open(directory, { io: "pool", fileSystem });
    await slow.put("warm", bytes("warm"));
    let go: () => void = () => {};
    const waiting = new Promise<void>((resolve) => (go = resolve));
    let arrived: () => void = () => {};
    const there = new Promise<void>((resolve) => (arrived = resolve));
    fileSystem.interfere = async ({ name }, call) => {
      if (name === "rename") {
        arrived();
        await waiting;
      }
      return await call();
    };
    const direct = fileSystem.interfere;
    fileSystem.interfere = (call, answer) => (call.direct ? answer() : direct(call, answer));
    const putting = slow.put("key", bytes("value"));
    await there;
    const other = open(directory);
    await other.put("other", bytes("value"));
    expect(other.details().stats["temporaryFilesSwept"]).toBe(0);
    expect(await draftsIn(directory)).toHaveLength(1);
    go();
    await putting;
    expect(await textUnder(other, "key")).toBe("value");
  });

  test("do not keep a folder from being read where they cannot be removed", async () => {
    const directory = await freshFolder();
    await mkdir(join(directory, ".stowage/tmp"), { recursive: true });
    await writeFile(join(directory, ".stowage/tmp", `${dead}-0`), "left over");
    await writeFile(join(directory, "key"), "value");
    const fileSystem = new ObservedFileSystem({
      ...nodeFileSystem,
      openLock: () =>
        Promise.reject(Object.assign(new Error("attempt to write a readonly database"), { code: "ERR_SQLITE_ERROR", errcode: 8 })),
    });
    expect(await textUnder(open(directory, { fileSystem }), "key")).toBe("value");
    const refusing = new ObservedFileSystem();
    refusing.interfere = ({ name, direct }, go) => {
      if (name !== "unlink") return go();
      const error = systemError("EROFS", name);
      if (direct) throw error;
      return Promise.reject(error);
    };
    expect(await textUnder(open(directory, { fileSystem: refusing }), "key")).toBe("value");
  });
});
