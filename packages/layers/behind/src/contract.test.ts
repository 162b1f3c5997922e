import { memoryStorage } from "@stowage/memory";
import { describeLayer } from "@stowage/testing/contract";
import { behind } from "./index.ts";

const documented = {
  calls: ["get", "getEntry", "getEntries", "head", "has", "list", "put", "delete", "batch", "clear", "flush", "read", "write"],
  errors: ["clear"],
} as const;

describeLayer("behind, in memory", { create: (inner, { clock }) => behind({ clock })(inner), documented });

describeLayer("behind, with a journal", {
  create: (inner, { clock }) => behind({ clock, journal: memoryStorage({ clock }) })(inner),
  documented,
});

describeLayer("behind, without a wait", {
  create: (inner, { clock }) => behind({ clock, window: 0, journal: memoryStorage({ clock }) })(inner),
  documented,
});
