import type { ErrorCode, OperationName } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { S3Failure } from "./transport.ts";

/** The name of the storage, for errors. */
export const storageName = "s3";

/** What is done, for an error; methods that the contract does not have are named too. */
export type CallName = OperationName | "gc" | "presign" | "probe";

/** Calls that change something, so that what became of them may be unknown. */
const changing: ReadonlySet<CallName> = new Set<CallName>(["put", "delete", "batch", "clear", "write", "gc", "probe"]);

/** A failed request as an error of the contract; anything else as it is. */
export function translate(error: unknown, operation: CallName, key?: string): unknown {
  if (!(error instanceof S3Failure)) return error;
  const { code, message } = meaningOf(error);
  return new StorageError(code, message, {
    operation,
    storage: storageName,
    key,
    outcome: error.isUnknown && changing.has(operation) ? "unknown" : "none",
    retryAfter: error.retryAfter,
    cause: error,
  });
}

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
}

function meaningOf(failure: S3Failure): Meaning {
  return byCode(failure) ?? byStatus(failure);
}

/** Where the service's own word says more than its status. */
function byCode({ code, region, message }: S3Failure): Meaning | undefined {
  switch (code) {
    case "NoSuchBucket":
      return { code: "config", message: "The bucket does not exist." };
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "IllegalLocationConstraintException":
      return {
        code: "config",
        message: `The bucket is in another region${region === undefined ? "" : `, "${region}"`}; set the option region.`,
      };
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
      return { code: "denied", message: `The service does not accept the credentials (${code}).` };
    case "RequestTimeTooSkewed":
      return { code: "denied", message: "The clock of this machine and that of the service differ too much." };
    case "KeyTooLongError":
      return { code: "invalid-key", message: "The key is longer than the service allows." };
    case "EntityTooLarge":
    case "MetadataTooLarge":
      return { code: "too-large", message: `The value or its metadata is larger than the service allows (${code}).` };
    case "QuotaExceeded":
      return { code: "full", message: "The service has no room left for this user or bucket." };
    case "InvalidRange":
      return { code: "conflict", message: "The value changed while it was read." };
    case "RequestTimeout":
    case "Timeout":
      return { code: "timeout", message };
    case "SlowDown":
    case "TooManyRequests":
    case "RequestLimitExceeded":
    case "ServiceUnavailable":
      return { code: "throttled", message: `The service asks for fewer requests (${code}).` };
    case "NotImplemented":
      return { code: "unsupported", message: "The service cannot do that." };
    case "NetworkError":
    case "NotSent":
      return { code: "unavailable", message };
    case "BadAnswer":
      return { code: "unavailable", message: `What answered is no S3 service, or broken: ${message}` };
    default:
      return undefined;
  }
}

function byStatus({ status, code }: S3Failure): Meaning {
  const told = `${status}${code === "" ? "" : ` ${code}`}`;
  if (status === 401 || status === 403) return { code: "denied", message: `The service denies it (${told}).` };
  if (status === 404) return { code: "conflict", message: `What was worked on is gone (${told}).` };
  if (status === 408) return { code: "timeout", message: `The service waited too long (${told}).` };
  if (status === 409) return { code: "conflict", message: `Another request for the same key came between (${told}).` };
  if (status === 412) return { code: "precondition-failed", message: "The entry is not the version that the condition asked for." };
  if (status === 429 || status === 503) return { code: "throttled", message: `The service asks for fewer requests (${told}).` };
  if (status === 501 || status === 405) return { code: "unsupported", message: `The service cannot do that (${told}).` };
  if (status === 507) return { code: "full", message: `The service has no room left (${told}).` };
  if (status >= 500) return { code: "unavailable", message: `The service failed (${told}).` };
  if (status >= 300 && status < 400)
    return { code: "config", message: `The service sends us elsewhere (${told}); set endpoint and region.` };
  return { code: "internal", message: `The service did not accept the request (${told}).` };
}
