import { defineConfig } from "vitest/config";

const conditions = ["@stowage/source", "module", "node", "development|production"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["@stowage/source", "node"] } },
  test: {
    include: ["{packages,examples,tools}/**/*.test.ts"],
    testTimeout: 30_000,
  },
});
