import { answeredWith, badAnswer, S3Failure } from "../transport.ts";

/** What the SDK adds to the errors that it throws. */
interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

/** Errors of a connection that never stood. */
const unsent: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/** An error of the SDK as a failed request. */
export function failureOfSdk(error: unknown): S3Failure {
  if (error instanceof S3Failure) return error;
  const { name = "", code = "", message = "", $metadata, $response } = error as SdkError;
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  if (status === undefined) {
    const isTimeout = name === "TimeoutError";
    return new S3Failure(`The connection failed: ${message}`, {
      status: 0,
      code: isTimeout ? "Timeout" : "NetworkError",
      isUnknown: !unsent.has(code),
      cause: error,
    });
  }
  if (status >= 200 && status < 300 && !isNamed(name)) return badAnswer("The SDK could not read the answer.", error);
  const headers = $response?.headers ?? {};
  const word = isNamed(name) ? name : "";
  // An upload that failed at its end answers with the status of a success.
  const told = status >= 200 && status < 300 ? (word === "PreconditionFailed" ? 412 : 500) : status;
  return answeredWith(told, word, `The service answered ${told}${word === "" ? "" : ` (${word})`}.`, {
    retryAfter: headers["retry-after"],
    region: headers["x-amz-bucket-region"],
    cause: error,
  });
}

/** Whether a name is the service's word, and not one of the SDK or of JavaScript. */
const isNamed = (name: string): boolean => name !== "" && !/^(?:Error|TypeError|SyntaxError|RangeError|NotFound|Unknown)$|^\d/.test(name);
