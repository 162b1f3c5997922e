import { memoryStorage } from "@stowage/memory";
import { describeLayer, describeStorage } from "@stowage/testing/contract";
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

// What arrives below in the background is no call of the caller, so only the contract is asked for here.
describeStorage("behind, without a wait", {
  create: ({ clock }) => behind({ clock, window: 0, journal: memoryStorage({ clock }) })(memoryStorage({ clock })),
});
