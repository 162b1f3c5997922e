import { memoryStorage } from "@stowage/memory";
import { describeStorage } from "./contract.ts";

describeStorage("memoryStorage of bytes", {
  create: ({ clock }) => memoryStorage({ clock }),
});
