/** A request that is refused, as S3 answers it. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const noSuchKey = (): Refusal => new Refusal(404, "NoSuchKey", "The specified key does not exist.");
export const preconditionFailed = (): Refusal =>
  new Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.");
