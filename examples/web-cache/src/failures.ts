import type { ErrorCode } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { HTTPException } from "hono/http-exception";

/** What each reason of a storage is in HTTP. */
const statuses: Readonly<Record<ErrorCode, number>> = {
  "invalid-key": 400,
  "invalid-value": 400,
  "invalid-option": 400,
  denied: 403,
  "read-only": 403,
  conflict: 409,
  "precondition-failed": 412,
  "too-large": 413,
  throttled: 429,
  unsupported: 501,
  closed: 503,
  unavailable: 503,
  timeout: 504,
  full: 507,
  // What the caller can do nothing about:
  corrupt: 500,
  tampered: 500,
  "wrong-key": 500,
  "unknown-key": 500,
  partial: 500,
  config: 500,
  internal: 500,
};

/** The caller hung up before there was an answer: nobody reads this one. */
const hungUp = 499;

/** An error as an answer. What happened inside goes to the log of the server and not to the caller. */
export function answerTo(error: unknown, request: Request, log: (error: unknown) => void): Response {
  if (error instanceof HTTPException) return failure(error.status, error.message);
  if (request.signal.aborted) return failure(hungUp, "The request was given up.");
  if (!StorageError.is(error)) {
    log(error);
    return failure(500, "Something went wrong.");
  }
  const status = statuses[error.code];
  if (status === 500) log(error);
  const answer = failure(status, status === 500 ? "Something went wrong." : error.message, error.code);
  if (error.retryAfter !== undefined) answer.headers.set("retry-after", String(Math.ceil(error.retryAfter / 1_000)));
  else if (status === 429 || status === 503) answer.headers.set("retry-after", "1");
  return answer;
}

function failure(status: number, message: string, code?: ErrorCode): Response {
  return Response.json({ code, message }, { status });
}
