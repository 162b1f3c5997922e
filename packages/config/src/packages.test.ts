import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const run = promisify(execFile);

/**
 * What a program in a folder of its own, under plain Node, prints about a storage file. The loader is installed there
 * beside nothing but what it depends on, as a strict package manager does it.
 */
async function printed(yaml: string, packages: Record<string, string>): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-config-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(import.meta.dirname, join(folder, "loader/src"), { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
  for (const dependency of ["@stowage/core", "yaml"]) {
    const link = join(folder, "loader/node_modules", dependency);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(import.meta.dirname, "../node_modules", dependency), link);
  }
  const files: Record<string, string> = {
    "loader/package.json": JSON.stringify({ type: "module" }),
    "main.mjs": `
      import { parseStorages } from "./loader/src/index.ts";
      const storages = await parseStorages(${JSON.stringify(yaml)}).catch((error) => console.log(error.message));
      for (const name of storages?.names ?? []) console.log(name, storages.bytes(name).name);
      await storages?.close();
    `,
  };
  const memory =
    "export const plugins = [{ kind: 'backend', name: 'memory', description: 'M.', gives: 'bytes', options: {}, make: () => storage }];";
  const storage =
    "const storage = { name: 'memory', inner: [], capabilities: {}, details: () => ({ options: {}, stats: {} }), read() {}, write() {}, close() {} };";
  for (const [name, code] of Object.entries({ "@stowage/memory": storage + memory, ...packages })) {
    files[`node_modules/${name}/package.json`] = JSON.stringify({ name, type: "module", exports: { "./plugin": "./plugin.js" } });
    files[`node_modules/${name}/plugin.js`] = code;
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const { stdout } = await run(process.execPath, ["--conditions=@stowage/source", join(folder, "main.mjs")], { cwd: folder, env: {} });
  return stdout.trim().split("\n");
}

test("a package is also found beside the program, where the package manager shows the loader only its own", async () => {
  const plugin =
    "export const plugins = [{ kind: 'layer', name: 'metrics', description: 'M.', takes: 'any', options: {}, make: () => (inner) => inner }];";
  expect(await printed("storages: { a: { backend: memory, layers: [metrics] } }", { "@stowage/metrics": plugin })).toEqual(["a memory"]);
});

test("a package that is not there, one that lacks something and one that is too old are told apart", async () => {
  const packages = {
    "@stowage/redis": "import 'a-client-that-is-missing'; export const plugins = [];",
    "@stowage/metrics": "export const plugins = [];",
    "@stowage/keyv": "throw new Error('keyv has a bad day');",
  };
  const yaml =
    "storages:\n  a: { backend: s3 }\n  b: { backend: redis }\n  c: { backend: memory, layers: [metrics] }\n  d: { backend: keyv }\n  e: { backend: memory, layers: [envelope: { maxEntries: 5 }] }\n";
  expect(await printed(yaml, packages)).toEqual([
    "storage.yaml has 5 problems:",
    '  2:17 storages.a.backend: "s3" needs a package that is not installed: npm install @stowage/s3',
    expect.stringContaining(
      `"redis" needs @stowage/redis, which cannot be loaded: Cannot find package 'a-client-that-is-missing'`,
    ) as string,
    '  4:34 storages.c.layers[0]: "metrics" is not in the installed version of @stowage/metrics; update it.',
    '  5:17 storages.d.backend: "keyv" needs @stowage/keyv, which cannot be loaded: keyv has a bad day',
    '  6:34 storages.e.layers[0].envelope: "envelope" needs a package that is not installed: npm install @stowage/envelope',
  ]);
});
