import { describeStorage } from "./contract/describe-storage.ts";
import { mockStorage } from "./mock-storage.ts";

describeStorage("mockStorage of bytes", { create: ({ clock }) => mockStorage({ clock }) });
describeStorage("mockStorage of values", {
  create: ({ clock }) => mockStorage<unknown>({ values: "any", clock }),
  values: [{ name: "Ada" }, { name: "Bob" }, [1, "two", null]],
});
