import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isKey } from "@stowage/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytes, freshFolder, open, textUnder } from "../testing/folders.ts";
import { encodedLayout as layout } from "./encoded.ts";

/** Keys with what makes trouble: cases, dots, separators, escapes, devices, long parts, everything beyond ASCII. */
const parts = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("", ".", "..", "a", "A", "a.", "con", "CON.txt", "%", "%41", "+", "~", "a+", "é", "e\u0301", ".stowage", "\u0001", " "),
  fc.tuple(fc.constantFrom("a", "A", "é", "😀", "."), fc.integer({ min: 70, max: 260 })).map(([text, count]) => text.repeat(count)),
);
const keys = fc
  .array(parts, { minLength: 1, maxLength: 6 })
  .map((list) => list.join("/").replaceAll("\0", "").toWellFormed())
  .filter(isKey);

const portable = /^(?:%|[a-z0-9_%-](?:[a-z0-9._%-]*[a-z0-9_%-])?[+~]?|\+)$/;
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/;

/** The key that a path leads to, read as a list reads it: name by name. */
function keyAt(path: string): string | undefined {
  let folder = { path: "", text: "" };
  const names = path.split("/");
  for (const [index, name] of names.entries()) {
    const item = layout.itemOf(name, index < names.length - 1, folder);
    if (item === undefined) return undefined;
    folder = { path: `${folder.path}/${name}`, text: folder.text + item };
  }
  return layout.keyOf(folder.text);
}

describe("the layout encoded", () => {
  test("leads from every key to a path and back", () => {
    fc.assert(
      fc.property(keys, (key) => {
        expect(keyAt(layout.pathOf(key, "put"))).toBe(key);
      }),
      { numRuns: 3_000 },
    );
  });

  test("uses names that every file system can hold and tells apart", () => {
    fc.assert(
      fc.property(keys, (key) => {
        const path = layout.pathOf(key, "put");
        expect(path.length).toBeLessThan(3_300);
        for (const name of path.split("/")) {
          expect(name).toMatch(portable);
          expect(name.length).toBeLessThan(255);
          expect(name).not.toMatch(device);
          expect(name).not.toBe(".stowage");
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("never gives one key's path to another, nor a folder of one", () => {
    fc.assert(
      fc.property(keys, keys, (one, other) => {
        fc.pre(one !== other);
        const [a, b] = [layout.pathOf(one, "put"), layout.pathOf(other, "put")];
        expect(a).not.toBe(b);
        expect(a.startsWith(`${b}/`) || b.startsWith(`${a}/`)).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });

  test("finds the folder of whatever starts with a text", () => {
    fc.assert(
      fc.property(keys, fc.nat(), (key, at) => {
        const text = layout.textOf(key);
        const folder = layout.folderOf(text.slice(0, at % (text.length + 1)))!;
        expect(text.startsWith(folder.text)).toBe(true);
        expect(folder.path === "" || layout.pathOf(key, "put").startsWith(`${folder.path}/`)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ["a/b.json", "a+/b.json"],
    ["Ada", "%41da"],
    ["a", "a"],
    ["a/", "a+/%"],
    ["/", "+/%"],
    ["..", "%2e%2e"],
    ["a b", "a%20b"],
    ["con", "%63on"],
    ["nul.txt", "%6eul.txt"],
    ["%", "%25"],
    ["é", "%c3%a9"],
    [".stowage/x", "%2estowage+/x"],
    ["x".repeat(80), `${"x".repeat(80)}~/%`],
    [`${"x".repeat(100)}/y`, `${"x".repeat(80)}~/${"x".repeat(20)}+/y`],
  ])("puts the key %j at %s", (key, path) => {
    expect(layout.pathOf(key, "put")).toBe(path);
  });

  test("takes names that are none of its own for nothing", async () => {
    const directory = await freshFolder();
    const storage = open(directory, { layout: "encoded" });
    await storage.put("Key", bytes("value"));
    for (const name of ["Key", "%4b", "%4Bey", "a~", "%zz", "a.", ".hidden", "con", "README.md", "x+", "y".repeat(90), "z".repeat(80)]) {
      writeFileSync(join(directory, name), "foreign");
    }
    for (const name of ["folder", `${"y".repeat(90)}+`, `${"y".repeat(80)}+`, `${"y".repeat(79)}~`]) {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, "file"), "foreign");
    }
    expect((await storage.list()).entries).toEqual([{ key: "K" }, { key: "Key" }]);
  });

  test("refuses a folder whose path leaves no room for long keys", async () => {
    const directory = join(await freshFolder(), "x".repeat(200), "y".repeat(200), "z".repeat(200), "w".repeat(200));
    await expect(open(directory, { layout: "encoded" }).get("key")).rejects.toMatchObject({ code: "config" });
    expect(await open(directory).get("key")).toBeUndefined();
  });

  test("holds the longest keys of any kind", async () => {
    const storage = open(await freshFolder(), { layout: "encoded" });
    for (const key of ["/".repeat(1024), "A".repeat(1024), "😀".repeat(256), "a/".repeat(512), "%/".repeat(512)]) {
      await storage.put(key, bytes(key.slice(0, 4)));
      expect(await textUnder(storage, key)).toBe(key.slice(0, 4));
    }
    expect((await storage.list()).entries).toHaveLength(5);
    await storage.clear();
    expect((await storage.list()).entries).toEqual([]);
  });

  test("really makes files of those names", () => {
    const directory = mkdtempSync(join(tmpdir(), "stowage-file-"));
    try {
      fc.assert(
        fc.property(keys, (key) => {
          const path = join(directory, layout.pathOf(key, "put"));
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, key);
        }),
        { numRuns: 200 },
      );
      expect(readdirSync(directory).length).toBeGreaterThan(5);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
