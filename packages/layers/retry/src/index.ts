export { retry, RetryStorage } from "./retry.ts";
export type { RetryOptions } from "./options.ts";
