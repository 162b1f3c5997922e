import type { S3Operation } from "./requests.ts";

export interface S3FaultTimes {
  /** How many requests it happens to. @default 1 */
  readonly times?: number | undefined;
  /** Whether the request is carried out all the same. @default false */
  readonly effect?: boolean | undefined;
}

export interface S3Answer extends S3FaultTimes {
  /** The word for it in the answer. @default one that goes with the status */
  readonly code?: string | undefined;
  /** The `Retry-After` header: seconds, or a date. @default none */
  readonly retryAfter?: string | undefined;
}

/** What goes wrong with requests to the double, in the order in which it was said. */
export interface S3Faults {
  /** An error instead of the answer. */
  answers(status: number, answer?: S3Answer): void;
  /** The connection is reset after so many bytes of the body of the request. */
  resetsRequest(after: number, times?: S3FaultTimes): void;
  /** The connection is reset after so many bytes of the answer, its headers included; with 0 the answer is lost. It is carried out. */
  resetsAnswer(after: number, times?: S3FaultTimes): void;
  /** The answer says that its body has so many bytes more than it has, and the connection ends. */
  lies(more: number, times?: S3FaultTimes): void;
  /** The body of the answer comes in pieces, with milliseconds between them. */
  slows(pieces: number, pause: number, times?: S3FaultTimes): void;
  /** There is no answer, and the connection stays. */
  hangs(times?: S3FaultTimes): void;
}

export type Fault = { readonly effect: boolean } & (
  | { readonly kind: "answers"; readonly status: number; readonly code: string; readonly retryAfter: string | undefined }
  | { readonly kind: "resetsRequest" | "resetsAnswer"; readonly after: number }
  | { readonly kind: "lies"; readonly more: number }
  | { readonly kind: "slows"; readonly pieces: number; readonly pause: number }
  | { readonly kind: "hangs" }
);

interface Planned {
  readonly operation: S3Operation | "any";
  readonly key: string | undefined;
  readonly fault: Fault;
  times: number;
}

const codes: Readonly<Record<number, string>> = {
  400: "InvalidArgument",
  403: "AccessDenied",
  404: "NoSuchKey",
  409: "ConditionalRequestConflict",
  412: "PreconditionFailed",
  429: "TooManyRequests",
  500: "InternalError",
  501: "NotImplemented",
  503: "SlowDown",
};

/** What was planned to go wrong. */
export class Plan {
  readonly #planned: Planned[] = [];

  on(operation: S3Operation | "any", key: string | undefined): S3Faults {
    const add = (fault: Fault, { times = 1 }: S3FaultTimes = {}): void => void this.#planned.push({ operation, key, fault, times });
    return {
      answers: (status, { code = codes[status] ?? "InternalError", retryAfter, effect = false, times } = {}) =>
        add({ kind: "answers", status, code, retryAfter, effect }, { times }),
      resetsRequest: (after, times) => add({ kind: "resetsRequest", after, effect: false }, times),
      resetsAnswer: (after, times) => add({ kind: "resetsAnswer", after, effect: times?.effect ?? true }, times),
      lies: (more, times) => add({ kind: "lies", more, effect: true }, times),
      slows: (pieces, pause, times) => add({ kind: "slows", pieces, pause, effect: true }, times),
      hangs: (times) => add({ kind: "hangs", effect: times?.effect ?? false }, times),
    };
  }

  /** The fault that happens to a request, which is used up by it. */
  take(operation: S3Operation, key: string): Fault | undefined {
    const found = this.#planned.findIndex(
      (planned) => (planned.operation === "any" || planned.operation === operation) && (planned.key === undefined || planned.key === key),
    );
    if (found === -1) return undefined;
    const planned = this.#planned[found]!;
    if (--planned.times <= 0) this.#planned.splice(found, 1);
    return planned.fault;
  }
}
