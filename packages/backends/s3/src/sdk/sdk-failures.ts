import { isUnsent } from "../lean/http-client.ts";
import { answeredWith, badAnswer, S3Failure } from "../transport.ts";

/** What the SDK adds to the errors that it throws. */
interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

/** An error of the SDK as a failed request, or as one that was not sent at all. */
export function failureOfSdk(error: unknown, isSent: boolean): S3Failure {
  if (error instanceof S3Failure) return error;
  if (!isSent) {
    const message = "The client of the SDK failed before it sent anything; look at the cause.";
    return new S3Failure(message, { status: 0, code: "NotSent", isUnknown: false, cause: error });
  }
  const { name = "", code = "", message = "", $metadata, $response } = error as SdkError;
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  if (status === undefined) {
    const isTimeout = name === "TimeoutError" && (code === "" || code === "ETIMEDOUT"); // the SDK calls a reset so too
    return new S3Failure(`The connection failed: ${message}`, {
      status: 0,
      code: isTimeout ? "Timeout" : "NetworkError",
      isUnknown: !isUnsent(error as object),
      cause: error,
    });
  }
  if (status >= 200 && status < 300 && !isNamed(name)) return badAnswer("The SDK could not read the answer.", error);
  const headers = $response?.headers ?? {};
  const word = isNamed(name) ? name : "";
  // An upload that failed at its end answers with the status of a success, which the SDK makes one of a service that is busy.
  const told = word === "PreconditionFailed" ? 412 : word === "InternalError" || status < 300 ? 500 : status;
  return answeredWith(told, word, `The service answered ${told}${word === "" ? "" : ` (${word})`}.`, {
    retryAfter: headers["retry-after"],
    region: headers["x-amz-bucket-region"],
    cause: error,
  });
}

/** Whether a name is the service's word, and not one of the SDK or of JavaScript. */
const isNamed = (name: string): boolean => name !== "" && !/^(?:Error|TypeError|SyntaxError|RangeError|NotFound|Unknown)$|^\d/.test(name);
