import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompositeStorage } from "@stowage/composite";
import { findLayer } from "@stowage/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseStorages } from "./load.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "stowage-replicas-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const notes = `storages:
  attic: { backend: { file: { directory: ./attic } }, layers: [envelope] }
  notes:
    backend:
      composite:
        replicas:
          memory: { backend: memory }
          disk: { backend: { file: { directory: ./disk } }, layers: [retry, envelope] }
          attic: { use: attic }
        write: { quorum: 2 }
        readMissing: next
        timeout: 2s
        breaker: { failures: 3, pause: 1m }
    layers: [json]
`;

describe("a composite in a storage file", () => {
  test("has replicas by name, each a stack of its own or another storage of the file, in their order", async () => {
    const storages = await parseStorages(notes, { directory });
    const composite = findLayer(storages.get("notes"), CompositeStorage);
    expect(composite?.stats().replicas.map(({ name }) => name)).toEqual(["memory", "disk", "attic"]);
    expect(composite?.details().options).toMatchObject({ write: { quorum: 2 }, readMissing: "next", promote: true, timeout: 2_000 });
    expect(storages.explain("notes")).toMatch(/^┌ composite {2}replicas: \["memory","disk","attic"\]/);
    expect(storages.explain("notes")).toContain("│ ├ retry");
    await storages.close();
  });

  test("keeps what is put into it in every replica, and closes them after itself", async () => {
    const storages = await parseStorages(notes, { directory });
    await storages.get("notes").put("ada", { name: "Ada" });
    await storages.close();
    await expect(storages.bytes("attic").get("ada")).rejects.toMatchObject({ code: "closed" });
    for (const folder of ["disk", "attic"]) expect(await readdir(join(directory, folder))).toContain("ada");
    const again = await parseStorages(notes, { directory });
    expect(await again.get("notes").get("ada")).toEqual({ name: "Ada" });
    await again.close();
  });

  test.each([
    ["composite", 'the option "replicas" is missing'],
    ["composite: { replicas: { a: { backend: memory }, b: { backend: { file: { directory: ./x } } } } }", "put envelope() on its stack"],
    ["composite: { replicas: { a: { backend: memry } } }", 'did you mean "memory"?'],
    ["composite: { replicas: [] }", "expected a group of names"],
    ["composite: { replicas: { a: { backend: memory, layers: [json] } } }", "expected a storage of bytes"],
    ["composite: { replicas: { a: { backend: memory } }, write: most }", 'expected "all", or a group of options (quorum)'],
    ["composite: { replicas: { a: { backend: memory } }, write: { quorum: 2 } }", "write asks for 2 replicas, and there are 1"],
    ["composite: { replicas: { a: { use: x } } }", "a storage cannot stand on itself"],
  ])("%s is refused, with its place", async (backend, message) => {
    const options = { directory, file: "storage.yaml" };
    await expect(parseStorages(`storages: { x: { backend: { ${backend} } } }`, options)).rejects.toThrow(message);
  });
});
