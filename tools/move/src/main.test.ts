import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { Command } from "./testing/command.ts";
import { fill, withStorages } from "./testing/contents.ts";
import { storageFile } from "./testing/folder.ts";

const file = `
storages:
  from: { backend: { sqlite: { path: ./from.db, durability: process } } }
  to: { backend: { sqlite: { path: ./to.db, durability: process } } }
  users: { backend: { sqlite: { path: ./users.db } }, layers: [json] }
  people: { backend: { file: { directory: ./people } }, layers: [envelope, json] }
`;

vi.setConfig({ testTimeout: 120_000 }); // each run of the command is a process of its own

async function filled(count: number): Promise<string> {
  const path = await storageFile(file);
  await withStorages(path, (storages) => fill(storages.bytes("from"), count, { whole: true }));
  return path;
}

async function run(...args: string[]): Promise<{ code: number | undefined; output: string }> {
  const command = new Command(args);
  return { code: await command.end(), output: command.output };
}

test("a move says in lines how far it is, and ends with 0", async () => {
  const path = await filled(100);
  const { code, output } = await run(path, "from", "to", "--concurrency", "1");
  expect(output).toContain("copy: 50 of 100 entries");
  expect(output).toContain("verify: 100 of 100 entries");
  expect(output).toContain("Done: 100 entries");
  expect(code).toBe(0);
});

test("on a terminal one line is rewritten", async () => {
  const path = await filled(20);
  const command = [
    process.execPath,
    "--conditions=@stowage/source",
    "--no-warnings",
    join(import.meta.dirname, "main.ts"),
    path,
    "from",
    "to",
  ];
  const env = { ...process.env, SHELL: "/bin/sh", TERM: "xterm" };
  const { stdout } = await promisify(execFile)("script", ["-qec", command.join(" "), "/dev/null"], { env });
  const parts = stdout.split("\u001B["); // each rewriting begins with a step of the cursor
  expect(parts.findLast((part) => part.includes("copy  "))).toMatch(/100%.*20\/20 entries/);
  expect(parts.filter((part) => part.includes("copy  ")).length).toBeGreaterThan(1);
  expect(stdout).not.toContain("copy: ");
});

test("values go from one codec to another", async () => {
  const path = await storageFile(file);
  await withStorages(path, (storages) => storages.get("users").put("ada", { visits: 1 }, { metadata: { from: "test" } }));
  expect(await run(path, "users", "people")).toMatchObject({ code: 0 });
  const ada = await withStorages(path, (storages) => storages.get("people").getEntry("ada"));
  expect(ada).toMatchObject({ value: { visits: 1 }, metadata: { from: "test" } });
  expect(await run(path, "users", "to")).toMatchObject({
    code: 1,
    output: expect.stringContaining("bytes and the other values") as string,
  });
});

test("a key that the target cannot hold ends it with 1", async () => {
  const path = await storageFile(file);
  await withStorages(path, (storages) => storages.get("users").put("a//b", 1));
  const { code, output } = await run(path, "users", "people");
  expect(output).toContain('The target cannot hold this key:\n  "a//b"  ');
  expect(code).toBe(1);
});

test("wrong arguments and wrong files end it with 2, and a sentence that says what is right", async () => {
  const path = await storageFile(file);
  const wrong: [args: string[], words: string][] = [
    [[], "Usage: pnpm move FILE FROM TO"],
    [[path, "from"], "Usage: pnpm move FILE FROM TO"],
    [[path, "from", "from"], "the same storage"],
    [[path, "from", "tu"], '"to"'],
    [[path, "from", "to", "--drop", "expires"], "--drop takes metadata and expiry"],
    [[path, "from", "to", "--concurrency", "many"], "a whole number"],
    [[path, "from", "to", "--force"], "--force"],
    [[join(dirname(path), "none.yaml"), "from", "to"], "none.yaml"],
  ];
  for (const [args, words] of wrong) expect(await run(...args)).toEqual({ code: 2, output: expect.stringContaining(words) as string });
});

test("the help names every option", async () => {
  const { code, output } = await run("--help");
  for (const option of ["prefix", "drop", "overwrite", "single-writer", "remove", "dry-run", "concurrency"])
    expect(output).toContain(`--${option}`);
  expect(code).toBe(0);
});
