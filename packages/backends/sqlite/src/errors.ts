import { StorageError } from "@stowage/core";
import type { Fault } from "./changes.ts";
import { noLog } from "./connection.ts";
import { faultOf } from "./faults.ts";

/** The name of the storage, in errors and in `Storage.name`. */
export const storageName = "sqlite";

export function errorOf({ code, message, outcome, cause }: Fault, operation: string, key?: string): StorageError {
  return new StorageError(code, message, { operation, key, outcome, cause, storage: storageName });
}

/** Errors of SQLite and of the file system become `StorageError`s; every other error, and the reason of the signal, stays as it is. */
export function translate(error: unknown, operation: string, key: string | undefined, signal?: AbortSignal): unknown {
  if (signal?.aborted === true && error === signal.reason) return error;
  const fault = error === noLog ? noLog : faultOf(error);
  if (fault !== undefined) return errorOf(fault, operation, key);
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return error;
  const message = `The file of the database cannot be reached: ${String(error.code)}.`;
  return new StorageError("unavailable", message, { operation, key, storage: storageName, cause: error });
}
