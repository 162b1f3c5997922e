import { strict as assert } from "node:assert";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import type { Consumer } from "../pack/consumer.ts";
import { copyUse, install, lend, typeProblems } from "../pack/consumer.ts";
import { makeTarballs } from "../pack/tarballs.ts";
import type { Package } from "../package.ts";
import { run } from "../run.ts";

/** The packages that are made for browsers too. */
const portable = ["core", "memory", "retry", "envelope", "compressed", "cached", "events"];

/** Bundles the packed packages as a browser's application would, and runs the bundle in one. */
export async function tryInBrowser(root: string, packages: readonly Package[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "stowage-browser-"));
  try {
    const tarballs = await makeTarballs(
      root,
      packages.filter(({ word }) => portable.includes(word)),
      folder,
    );
    const consumer = await install(root, join(folder, "page"), tarballs);
    await lend(consumer, "brotli-wasm", join(root, "tools/packages"));
    await copyUse(consumer, "browser.ts");
    const types = await typeProblems(consumer, "browser.ts", {
      lib: ["ES2024", "ESNext.Disposable", "DOM", "DOM.AsyncIterable"],
      types: [],
    });
    await bundle(consumer);
    const result = await runPage(consumer);
    const { stored, ...others } = result;
    console.log(`in ${String(result["browser"])}: ${JSON.stringify(result)}`);
    assert.ok(typeof stored === "number" && stored < 1_000, "The value was not compressed.");
    assert.deepEqual(others, {
      browser: others["browser"],
      same: true,
      size: 16_000,
      part: 10,
      note: { text: "hello" },
      events: ["put note"],
      contentType: "text/plain",
      keys: ["large", "note", "text"],
    });
    return types;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One file for a page. For the platform "browser" an import of `node:` cannot be resolved; what is left dynamic is looked for. */
async function bundle({ folder }: Consumer): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints: ["browser.ts"],
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["browser"],
    outfile: "page.js",
    metafile: true,
    logLevel: "silent",
  });
  const left = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  assert.deepEqual(left, [], "The bundle imports something that is not in it.");
}

/** Runs the bundle in a page of Chromium. */
async function runPage({ folder }: Consumer): Promise<Record<string, unknown>> {
  const files: Readonly<Record<string, readonly [type: string, path: string]>> = {
    "page.js": ["text/javascript", join(folder, "page.js")],
    "brotli_wasm_bg.wasm": ["application/wasm", join(folder, "node_modules/brotli-wasm/pkg.web/brotli_wasm_bg.wasm")],
  };
  const server = createServer((request, response) => {
    const [type, path] = files[basename(request.url ?? "")] ?? [];
    if (path === undefined) response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>");
    else void readFile(path).then((content) => response.setHeader("content-type", type ?? "").end(content));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await chromium.launch({ executablePath: await findChromium(), args: quiet });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    const result = await page.evaluate(async () => {
      const address = "/page.js";
      const { useInPage } = (await import(address)) as { useInPage: () => Promise<Record<string, unknown>> };
      return await useInPage();
    });
    return { browser: `Chromium ${browser.version()}`, ...result };
  } finally {
    await browser.close();
    server.close();
  }
}

const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

async function findChromium(): Promise<string> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const found = await run("which", [name], { folder: tmpdir() }).catch(() => "");
    if (found !== "") return found.trim();
  }
  throw new Error("Chromium is missing; install it, on Debian by: apt-get install chromium.");
}
