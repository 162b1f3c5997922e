import { expect, test } from "vitest";
import { Command } from "./testing/command.ts";
import { contentsOf, fill, withStorages } from "./testing/contents.ts";
import { storageFile } from "./testing/folder.ts";

const full = process.env["STOWAGE_EFFORT"] === "full";
const count = full ? 100_000 : 4_000;
const kills = full ? 4 : 2;

const file = `
storages:
  notes: { backend: { sqlite: { path: ./notes.db, durability: process } } }
  archive: { backend: { lmdb: { path: ./archive.mdb } } }
`;

test("a move from SQLite to LMDB that is killed again and again goes on, and loses nothing", { timeout: 300_000 }, async () => {
  const seed = Number(process.env["STOWAGE_SEED"] ?? Date.now() % 1_000_000);
  const random = numbersFrom(seed);
  const storages = await storageFile(file);
  await withStorages(storages, (opened) => fill(opened.bytes("notes"), count, { whole: true }));
  const before = await withStorages(storages, (opened) => contentsOf(opened.bytes("notes")));
  expect(before.size).toBe(count);

  let reached = 0;
  for (let kill = 0; kill < kills && reached < count; kill++) {
    const command = new Command([storages, "notes", "archive"]);
    await command.says("copy: ", 1 + Math.floor(random() * 6));
    await command.kill();
    const arrived = await withStorages(storages, (opened) => contentsOf(opened.bytes("archive")));
    const context = `STOWAGE_SEED=${seed}, kill ${kill}, ${arrived.size} entries`;
    expect(arrived.size, `it went on from what was there: ${context}`).toBeGreaterThan(reached);
    expect(wrongIn(arrived, before), context).toEqual([]);
    reached = arrived.size;
  }
  const last = new Command([storages, "notes", "archive"]);
  expect(await last.end(), last.output).toBe(0);
  expect(last.output).toContain(`${reached} are in the target already, ${count - reached} are to be copied`);
  expect(await withStorages(storages, (opened) => contentsOf(opened.bytes("archive")))).toEqual(before);
  expect(await withStorages(storages, (opened) => contentsOf(opened.bytes("notes")))).toEqual(before);
  console.log(`STOWAGE_SEED=${seed}: ${kills} kills, ${reached} of ${count} entries were there after the last`);
});

test("a move that is killed while it empties the source goes on, and the target has all of it", { timeout: 120_000 }, async () => {
  const storages = await storageFile(file);
  await withStorages(storages, (opened) => fill(opened.bytes("notes"), 2_000, { whole: true }));
  const before = await withStorages(storages, (opened) => contentsOf(opened.bytes("notes")));
  const killed = new Command([storages, "notes", "archive", "--remove", "--concurrency", "4"]);
  await killed.says("remove: ");
  await killed.kill();
  const left = await withStorages(storages, (opened) => contentsOf(opened.bytes("notes")));
  expect(left.size).toBeLessThan(before.size);
  expect(wrongIn(left, before)).toEqual([]);

  const last = new Command([storages, "notes", "archive", "--remove"]);
  expect(await last.end(), last.output).toBe(0);
  expect(await withStorages(storages, (opened) => contentsOf(opened.bytes("notes")))).toEqual(new Map());
  expect(await withStorages(storages, (opened) => contentsOf(opened.bytes("archive")))).toEqual(before);
});

const wrongIn = (arrived: ReadonlyMap<string, string>, before: ReadonlyMap<string, string>): string[] =>
  [...arrived].filter(([key, content]) => before.get(key) !== content).map(([key]) => key);

/** Numbers from 0 up to 1, the same for the same seed. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
