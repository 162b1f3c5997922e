import { json } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { describeLayer } from "@stowage/testing/contract";
import { metrics } from "./index.ts";

describeLayer("metrics", {
  create: (inner, { clock }) => metrics({ clock })(inner),
});

describeLayer("metrics with spans", {
  create: (inner, { clock }) => metrics({ clock, spans: true })(inner),
});

describeLayer("metrics over values", {
  inner: ({ clock }) => memoryStorage<unknown>({ values: "any", clock }),
  create: (inner, { clock }) => metrics({ clock })(inner),
  values: ["first", { second: 2 }],
});

describeLayer("metrics around a codec", {
  create: (inner, { clock }) => metrics({ clock })(json<unknown>()(metrics({ clock })(inner))),
  values: [{ name: "Ada" }, [1, null, "two"], "text", 0, false, null],
  documented: { values: true },
});
