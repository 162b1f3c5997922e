import type { ViteUserConfig } from "vitest/config";

// Tests run from the sources of every package, without a build.
const conditions = ["@stowage/source", "module", "node", "development|production"];

const config: ViteUserConfig = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["@stowage/source", "node"] } },
  test: {
    include: ["{packages,examples,tools}/**/*.test.ts"],
    typecheck: {
      enabled: true,
      include: ["{packages,examples,tools}/**/*.test-d.ts"],
      tsconfig: "./tsconfig.json",
    },
    testTimeout: 30_000,
  },
};

export default config;
