import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { ClientClosedError, ClientOfflineError, ErrorReply } from "@redis/client";

/** The name of the storage, in errors and in `Storage.name`. */
export const storageName = "redis";

/** What a call was, for its errors. */
export interface CallOf {
  readonly operation: string;
  readonly key?: string | undefined;
  /** Whether the server may have changed something where no answer came. */
  readonly writes: boolean;
}

/** The first word of what a server answers, and what it means. Nothing was changed in any of these cases. */
const answers: Readonly<Record<string, readonly [code: ErrorCode, message: string]>> = {
  OOM: ["full", "The server has used all the memory that it may."],
  READONLY: ["unavailable", "The server is a replica now and takes no writes."],
  LOADING: ["unavailable", "The server is still loading its data."],
  BUSY: ["unavailable", "The server is busy with a script."],
  MASTERDOWN: ["unavailable", "The replica has lost its primary."],
  CLUSTERDOWN: ["unavailable", "The cluster is down."],
  TRYAGAIN: ["unavailable", "The cluster is moving the entry."],
  NOREPLICAS: ["unavailable", "The server has fewer good replicas than it must have to take writes."],
  MISCONF: ["unavailable", "The server takes no writes, because it cannot save them to its disk."],
  NOAUTH: ["denied", "The server wants a password; set the option password."],
  WRONGPASS: ["denied", "The server does not know this user name and password."],
  NOPERM: ["denied", "The user may not run a command, or not on these keys."],
  WRONGTYPE: ["corrupt", "Under the name of the entry is something that this storage did not put there."],
};

/** What the client throws becomes a `StorageError`. Every other error is one already. */
export function translate(error: unknown, { operation, key, writes }: CallOf): unknown {
  if (StorageError.is(error)) return error;
  const options = { operation, key, storage: storageName, cause: error };
  if (error instanceof ErrorReply) {
    const answer = answers[error.message.split(" ", 1)[0]!];
    if (answer !== undefined) return new StorageError(answer[0], answer[1], options);
    if (error.message.includes("max number of clients")) {
      return new StorageError("unavailable", "The server has as many connections as it takes.", options);
    }
    return new StorageError("internal", "The server answered a command with an error that it should not give; see cause.", options);
  }
  if (error instanceof ClientOfflineError || error instanceof ClientClosedError) return offline(options);
  const lost = "The connection to the server was lost before its answer came.";
  return new StorageError("unavailable", lost, { ...options, outcome: writes ? "unknown" : "none" });
}

/** Nothing was sent. */
export function offline(options: {
  readonly operation?: string;
  readonly key?: string | undefined;
  readonly cause?: unknown;
}): StorageError {
  return new StorageError("unavailable", "There is no connection to the server at the moment.", { ...options, storage: storageName });
}
