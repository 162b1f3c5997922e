import { memoryStorage } from "@stowage/memory";
import { describeStorage } from "@stowage/testing/contract";

describeStorage("memory, from outside", { create: ({ clock }) => memoryStorage({ clock }) });
