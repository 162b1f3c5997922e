import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";

const codes: ReadonlySet<ErrorCode> = new Set(["corrupt", "tampered", "wrong-key", "unknown-key", "unsupported", "invalid-value"]);

/** Whether the data itself is the reason why an entry cannot be read: other entries may be whole, and trying again does not help. */
export const isDamage = (error: unknown): boolean => StorageError.is(error) && codes.has(error.code);
