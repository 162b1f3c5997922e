import { randomBytes } from "node:crypto";
import type { PutOptions } from "@stowage/core";
import { otherVersion, StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import { metadataOf } from "./metadata.ts";
import type { Settings } from "./settings.ts";
import type { Headers, ObjectInfo } from "./transport.ts";
import { S3Failure } from "./transport.ts";

/** How often a conditional write is sent whose outcome is unknown while nothing has changed. */
const maxSends = 3;
/** Milliseconds before it is sent again, times the tries before. */
const pause = 100;

export interface ConditionalWrite {
  readonly operation: "put" | "write";
  /** Of the storage, for errors. */
  readonly key: string;
  readonly condition: Pick<PutOptions, "ifMatch" | "ifNoneMatch">;
  /** Stored with the write, so that it can be found again. */
  readonly writeId: string;
  readonly signal: AbortSignal | undefined;
  /** Whether the same request may be sent again: not where it ends an upload. */
  readonly repeatable: boolean;
  /** Sends it with these headers of the condition; gives the etag. */
  send(headers: Headers): Promise<string | undefined>;
}

/**
 * Writes with conditions that the service decides. What a lost answer leaves open is settled here and nowhere else: the object that
 * is there tells by its write id whether it is this write.
 */
export class Conditions {
  readonly #settings: Settings;
  /** Whether the service wants etags without quotes, as Ceph before version 17; learned from its answers. */
  #bare: boolean | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Sends a write; gives the etag. Without a condition an unknown outcome is left to the caller. */
  async write(write: ConditionalWrite): Promise<string | undefined> {
    const { condition, operation, key } = write;
    checkEtag(condition.ifMatch, operation, key);
    const sent: Sent = { unknown: undefined };
    for (let sends = 1; ; sends++) {
      try {
        return await this.#send(key, condition, write.signal, (headers) => write.send(headers));
      } catch (error) {
        if (!(error instanceof S3Failure)) throw error;
        const settled = await this.#settle(write, error, sent, sends);
        if (settled !== undefined) return settled.etag;
        await this.#settings.clock.sleep(pause * sends, write.signal);
      }
    }
  }

  /** Refuses a write at its start whose condition does not hold even then, so that nothing is uploaded in vain. */
  async refuseEarly(key: string, { ifMatch, ifNoneMatch, signal }: PutOptions): Promise<void> {
    if (ifMatch === undefined && ifNoneMatch === undefined) return;
    checkEtag(ifMatch, "write", key);
    const { transport, prefix } = this.#settings;
    const found = await transport.head(prefix + key, signal);
    if (ifMatch === undefined ? found !== undefined : found?.etag !== ifMatch) throw otherVersion("write", storageName, key);
  }

  /** Deletes the version that an etag names. Where the answer was lost, the outcome is unknown. */
  async delete(key: string, ifMatch: string, signal: AbortSignal | undefined): Promise<void> {
    checkEtag(ifMatch, "delete", key);
    const { transport, prefix } = this.#settings;
    try {
      await this.#send(key, { ifMatch }, signal, (headers) => transport.delete(prefix + key, headers["if-match"], signal));
    } catch (error) {
      if (error instanceof S3Failure && isMissing(error)) throw otherVersion("delete", storageName, key);
      throw error;
    }
  }

  /** What became of a write that failed: the object that it made, or nothing where it may be sent again. Throws where it is lost. */
  async #settle(write: ConditionalWrite, failure: S3Failure, sent: Sent, sends: number): Promise<ObjectInfo | undefined> {
    const { condition, operation, key } = write;
    const isConditional = condition.ifMatch !== undefined || condition.ifNoneMatch !== undefined;
    const isRefused = failure.status === 412 || (condition.ifMatch !== undefined && isMissing(failure));
    if (sent.unknown === undefined) {
      if (isRefused) throw otherVersion(operation, storageName, key);
      if (!failure.isUnknown || !(isConditional || !write.repeatable)) throw failure;
    }
    if (failure.isUnknown) sent.unknown = failure;
    else if (!isRefused) throw unknownRace(write, failure);
    const found = await this.#find(write, failure);
    if (found !== undefined && metadataOf(found.headers).writeId === write.writeId) return found;
    if (!isConditional) throw failure;
    const isAsBefore = condition.ifMatch === undefined ? found === undefined : found?.etag === condition.ifMatch;
    if (isAsBefore && write.repeatable && sends < maxSends) return undefined;
    // Ceph answers so when another write came between: this one was not done.
    const isLost = sent.unknown!.code === "UnknownError";
    if (isAsBefore) throw isLost ? lostRace(write, failure) : failure;
    throw isLost ? otherVersion(operation, storageName, key) : unknownRace(write, failure);
  }

  async #find({ key, signal }: ConditionalWrite, failure: S3Failure): Promise<ObjectInfo | undefined> {
    const { transport, prefix } = this.#settings;
    try {
      return await transport.head(prefix + key, signal);
    } catch (error) {
      if (error instanceof S3Failure) throw failure;
      throw error;
    }
  }

  /** Sends a condition in the form that the service wants, which is found out by the first one that it refuses wrongly. */
  async #send<T>(
    key: string,
    { ifMatch, ifNoneMatch }: Pick<PutOptions, "ifMatch" | "ifNoneMatch">,
    signal: AbortSignal | undefined,
    send: (headers: Headers) => Promise<T>,
  ): Promise<T> {
    if (ifMatch === undefined) return await send(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch });
    if (this.#bare === true) return await send({ "if-match": ifMatch });
    try {
      const result = await send({ "if-match": `"${ifMatch}"` });
      this.#bare = false;
      return result;
    } catch (error) {
      if (this.#bare === false || !(error instanceof S3Failure) || error.status !== 412) throw error;
      const { transport, prefix } = this.#settings;
      if ((await transport.head(prefix + key, signal))?.etag !== ifMatch) throw error;
    }
    const result = await send({ "if-match": ifMatch });
    this.#bare = true;
    return result;
  }
}

/** The last failure that left it open whether the write was done. */
interface Sent {
  unknown: S3Failure | undefined;
}

/** 128 random bits. */
export const newWriteId = (): string => randomBytes(16).toString("base64url");

/** What is no etag is a version that nothing has; a star would match any. */
function checkEtag(etag: string | undefined, operation: "put" | "write" | "delete", key: string): void {
  if (etag !== undefined && (etag === "*" || !/^[!#-~]+$/.test(etag))) throw otherVersion(operation, storageName, key);
}

const isMissing = ({ status, code }: S3Failure): boolean => status === 404 && code !== "NoSuchBucket" && code !== "NoSuchUpload";

function lostRace({ operation, key }: ConditionalWrite, cause: S3Failure): StorageError {
  return new StorageError("conflict", "Another write of the same entry came first.", { operation, storage: storageName, key, cause });
}

function unknownRace({ operation, key }: ConditionalWrite, cause: S3Failure): StorageError {
  return new StorageError(
    "conflict",
    "The answer was lost, and another write is there now: nobody knows whether this one was there before.",
    {
      operation,
      storage: storageName,
      key,
      outcome: "unknown",
      cause,
    },
  );
}
