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
    // On processors with memory protection keys, V8's list of code pages now and then ends a process that starts and ends
    // many threads (nodejs/node#64500): nothing of ours, and nothing that a run of tests can do without.
    execArgv: ["--no-memory-protection-keys"],
    testTimeout: 30_000,
    hookTimeout: 90_000, // the start and the end of real servers
    expect: { poll: { timeout: 20_000 } }, // waits for a condition: the limit only ends what is hopeless
  },
};

export default config;
