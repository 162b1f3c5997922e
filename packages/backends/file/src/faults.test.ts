import { inspect } from "node:util";
import type { ByteStorage } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { describe, expect, test } from "vitest";
import type { FileOptions } from "./file-storage.ts";
import { fileStorage } from "./file-storage.ts";
import { bytes, draftsIn, freshFolder, hurriedClock, open, textUnder } from "./testing/folders.ts";
import { failAt, ObservedFileSystem } from "./testing/observed-file-system.ts";

/** All errors on all kinds take a while. */
const full = process.env["STOWAGE_EFFORT"] === "full";

type Kind = Pick<FileOptions, "layout" | "durability" | "io">;

const kinds: Kind[] = [
  { layout: "tree", durability: "power", io: "auto" },
  { layout: "encoded", durability: "process", io: "pool" },
  ...(full
    ? ([
        { layout: "tree", durability: "process", io: "auto" },
        { layout: "encoded", durability: "power", io: "pool" },
      ] as const)
    : []),
];

/** A change to one key, and what the key may hold then. */
interface Scenario {
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  run(storage: ByteStorage, etag: string | undefined): Promise<unknown>;
}

const large = "large ".repeat(20_000);

async function* inPieces(text: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let start = 0; start < text.length; start += 50_000) yield bytes(text.slice(start, start + 50_000));
}

const scenarios: Record<string, Scenario> = {
  "put of a new key": { key: "key", before: undefined, after: "new", run: (storage) => storage.put("key", bytes("new")) },
  "put over a value": { key: "key", before: "old", after: "new", run: (storage) => storage.put("key", bytes("new")) },
  "put into new folders": { key: "a/b/key", before: undefined, after: "new", run: (storage) => storage.put("a/b/key", bytes("new")) },
  "put of a large value": { key: "key", before: "old", after: large, run: (storage) => storage.put("key", bytes(large)) },
  "put with ifMatch": {
    key: "key",
    before: "old",
    after: "new",
    run: (storage, etag) => storage.put("key", bytes("new"), { ifMatch: etag }),
  },
  "put with ifNoneMatch": {
    key: "a/key",
    before: undefined,
    after: "new",
    run: (storage) => storage.put("a/key", bytes("new"), { ifNoneMatch: "*" }),
  },
  write: { key: "key", before: "old", after: large, run: (storage) => storage.write("key", inPieces(large)) },
  "write with ifNoneMatch": {
    key: "key",
    before: undefined,
    after: large,
    run: (storage) => storage.write("key", inPieces(large), { ifNoneMatch: "*" }),
  },
  delete: { key: "key", before: "old", after: undefined, run: (storage) => storage.delete("key") },
  "delete of the last key in a folder": { key: "a/b/key", before: "old", after: undefined, run: (storage) => storage.delete("a/b/key") },
  "delete with ifMatch": { key: "key", before: "old", after: undefined, run: (storage, etag) => storage.delete("key", { ifMatch: etag }) },
  batch: {
    key: "key",
    before: "old",
    after: "new",
    run: (storage) =>
      storage.batch([
        { type: "put", key: "key", value: bytes("new") },
        { type: "put", key: "other", value: bytes("value") },
      ]),
  },
};

/** Every n until the call that it would be is not made any more. */
async function forEveryCall(
  { key, before, after, run }: Scenario,
  kind: Kind,
  code: string,
  first: "cold" | "warm",
  when: "before" | "after" = "before",
): Promise<{ readonly failed: number; readonly kept: number }> {
  const directory = await freshFolder();
  const check = open(directory, { layout: kind.layout });
  let failed = 0;
  let kept = 0;
  for (let n = 1; ; n++) {
    await check.clear();
    const etag = before === undefined ? undefined : (await check.put(key, bytes(before))).etag;
    const fileSystem = new ObservedFileSystem();
    const storage = fileStorage({ directory, ...kind, clock: hurriedClock, fileSystem });
    if (first === "warm") await storage.put("warm", bytes("warm"));
    const reached = failAt(fileSystem, n, code, when);
    const error = await run(storage, etag).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const call = reached();
    fileSystem.interfere = (_, go) => go();
    const where = `${code} at call ${n}, ${call?.name} ${String(call?.args[0])}`;
    const found = await textUnder(check, key);
    if (error === undefined) expect(found, `success, ${where}`).toBe(after);
    else {
      failed++;
      expect(StorageError.is(error), `the type of the error, ${where}: ${inspect(error)}`).toBe(true);
      expect(found === before || found === after, `torn, ${where}`).toBe(true);
      if ((error as StorageError).outcome === "none" && (error as StorageError).code !== "partial") {
        expect(found, `no effect, ${where}`).toBe(before);
      }
      if (found === before) kept++;
    }
    await storage.close();
    expect(fileSystem.open.size, `open files, ${where}`).toBe(0);
    expect(fileSystem.locks, `open locks, ${where}`).toBe(0);
    await expectNoDrafts(directory, where);
    if (call === undefined) return { failed, kept };
  }
}

/** The next one who opens the folder sweeps it. */
async function expectNoDrafts(directory: string, where: string): Promise<void> {
  const next = fileStorage({ directory, durability: "process" });
  await next.has("anything");
  await next.close();
  expect(await draftsIn(directory), `drafts, ${where}`).toEqual([]);
}

describe.each(kinds)("with %j, whichever call to the system fails", (kind) => {
  describe.each(Object.keys(scenarios))("%s", (name) => {
    test.each(full ? ["EIO", "ENOSPC", "EACCES", "EMFILE"] : ["EIO", "EMFILE"])(
      "does all or nothing, says which, and leaves nothing behind: %s",
      async (code) => {
        const { failed } = await forEveryCall(scenarios[name]!, kind, code, "warm");
        if (code !== "EMFILE") expect(failed).toBeGreaterThan(2);
      },
    );

    test("does all or nothing also when the call was done and its answer lost: EIO", async () => {
      await forEveryCall(scenarios[name]!, kind, "EIO", "warm", "after");
    });

    test("does all or nothing also as the first call of a storage: EIO", async () => {
      const { failed, kept } = await forEveryCall(scenarios[name]!, kind, "EIO", "cold");
      expect(failed).toBeGreaterThan(5);
      expect(kept).toBeGreaterThan(5);
    });
  });
});
