import { describeLayer } from "@stowage/testing/contract";
import { retry } from "./index.ts";

describeLayer("retry", {
  create: (inner, { clock }) => retry({ clock, minDelay: 0, maxDelay: 0 })(inner),
});
