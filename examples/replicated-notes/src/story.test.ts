import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseStorages } from "@stowage/config";
import { expect, test } from "vitest";
import { outagePlugin } from "./outage.ts";
import { chapterOf } from "./report.ts";
import { tellStory } from "./story.ts";

test("the replicas differ while one is down, and are equal after it came back and was repaired", async () => {
  const directory = await mkdtemp(join(tmpdir(), "stowage-notes-"));
  const pulled = new Set<string>();
  const text = await readFile(new URL("../storage.yaml", import.meta.url), "utf8");
  expect(text).toContain("timeout: 1s");
  const patient = text.replace("timeout: 1s", "timeout: 1m"); // however slow the disk is
  const storages = await parseStorages(patient, { directory, plugins: [outagePlugin(pulled)] });
  const chapters: string[] = [];
  try {
    const replicas = await tellStory(storages.get("notes"), pulled, (...chapter) => chapters.push(chapterOf(...chapter, false)));
    const expected = new Map([
      ["garden", expect.any(String)],
      ["reading", "The Art of Doing Science"],
      ["shopping", "Bread, cheese, olives"],
    ]);
    for (const { notes } of replicas) expect(notes).toEqual(expected);
    expect(chapters[1]).toContain('shopping reads "Bread, cheese, olives", birthday reads undefined');
    expect(chapters[1]).toContain("attic (down): not reached");
    expect(chapters[2]).toContain("The put could ask 1 of 3 replicas, and 2 are needed");
    expect(chapters[3]).toContain("birthday | desk: nothing | shelf: nothing | attic");
  } finally {
    await storages.close();
    await rm(directory, { recursive: true, force: true });
  }
});
