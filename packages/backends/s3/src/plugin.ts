import type { Plugin } from "@stowage/core";
import { definePlugin } from "@stowage/core";
import type { S3Options } from "./index.ts";
import { s3Storage } from "./index.ts";
import { definitions } from "./options.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "s3",
    description: "Keeps entries as objects in a bucket of an S3 service.",
    gives: "bytes",
    options: definitions,
    make: (options, { clock }) => s3Storage({ ...(options as unknown as S3Options), clock }),
  }),
];
