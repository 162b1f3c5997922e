import type { Clock } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { S3Failure } from "../transport.ts";
import type { S3Credentials } from "./sigv4.ts";

/** Credentials, or what gives them: a provider of the AWS SDK fits. */
export type CredentialsSource = S3Credentials | (() => Promise<S3Credentials>);

/** Milliseconds before credentials end at which new ones are asked for. */
const margin = 60_000;

/** Keeps credentials until they end, or until the service refused them. Callers at one moment share one question. */
export class Credentials {
  readonly #source: CredentialsSource | undefined;
  readonly #clock: Clock;
  #asking: Promise<S3Credentials> | undefined;
  #known: S3Credentials | undefined;

  constructor(source: CredentialsSource | undefined, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The credentials, at once where they are known. */
  get(): S3Credentials | Promise<S3Credentials> {
    const known = this.#known;
    if (known !== undefined && !this.#isEnding(known)) return known;
    return (this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    }));
  }

  /** Tells that the service refused these. Whether others can be asked for. */
  refuse(credentials: S3Credentials): boolean {
    if (typeof this.#source !== "function") return false;
    if (this.#known === credentials) this.#known = undefined;
    return true;
  }

  #isEnding({ expiration }: S3Credentials): boolean {
    return expiration !== undefined && expiration.getTime() - margin <= this.#clock.now();
  }

  async #ask(): Promise<S3Credentials> {
    const given = typeof this.#source === "function" ? await asked(this.#source) : (this.#source ?? fromEnvironment());
    if (typeof given?.accessKeyId !== "string" || typeof given.secretAccessKey !== "string") {
      throw new StorageError("config", "The function for credentials gave none; it must give accessKeyId and secretAccessKey.", {
        storage: "s3",
      });
    }
    return (this.#known = given);
  }
}

async function asked(source: () => Promise<S3Credentials>): Promise<S3Credentials> {
  try {
    return await source();
  } catch (cause) {
    throw new S3Failure("The function for credentials failed; look at the cause.", { status: 0, code: "NotSent", isUnknown: false, cause });
  }
}

function fromEnvironment(): S3Credentials {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = process.env;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey, sessionToken };
  throw new StorageError(
    "config",
    "There are no credentials: set the option credentials, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    {
      storage: "s3",
    },
  );
}
