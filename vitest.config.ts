import type { ViteUserConfig } from "vitest/config";
import { configDefaults } from "vitest/config";

// Tests run from the sources of every package, without a build.
const conditions = ["@stowage/source", "node", "development|production"];

// What the quickstart stored: files of this repository under their own names, compressed.
const exclude = [...configDefaults.exclude, "examples/*/data/**"];

const config: ViteUserConfig = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["@stowage/source", "node"] } },
  test: {
    include: ["{packages,examples,tools}/**/*.test.ts"],
    exclude,
    typecheck: {
      enabled: true,
      include: ["{packages,examples,tools}/**/*.test-d.ts"],
      exclude,
      tsconfig: "./tsconfig.json",
    },
    // Where many threads begin and end that take the types out of TypeScript, for which Node has WebAssembly, Node 24 ends the
    // process now and then while it frees code (WasmEngine::FreeDeadCode, and nodejs/node#64500). A run of tests can keep it.
    execArgv: ["--no-wasm-code-gc", "--no-memory-protection-keys"],
    testTimeout: 30_000,
    hookTimeout: 90_000, // the start and the end of real servers
    expect: { poll: { timeout: 20_000 } }, // waits for a condition: the limit only ends what is hopeless
  },
};

export default config;
