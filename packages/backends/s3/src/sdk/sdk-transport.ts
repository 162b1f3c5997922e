import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type * as Sdk from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "@stowage/core";
import { StorageError } from "@stowage/core";
import { addressOf, fitsHost } from "../lean/address.ts";
import { decodeUrl, keyFailure } from "../lean/answers.ts";
import { presigned } from "../lean/presign.ts";
import { Signer, signingTime } from "../lean/sigv4.ts";
import { fitsXml } from "../lean/xml.ts";
import type {
  DeleteFailure,
  Download,
  Headers,
  Listing,
  ListQuery,
  ObjectInfo,
  Transport,
  UploadedPart,
  UploadPage,
} from "../transport.ts";
import { badAnswer, bareEtag, parseContentRange, S3Failure } from "../transport.ts";
import type { SdkClient } from "./handed-in.ts";
import { addressOptionsOf, asS3Client, endpointOf } from "./sdk-client.ts";
import { failureOfSdk } from "./sdk-failures.ts";
import type { SdkHeaders } from "./sdk-headers.ts";
import { inputOf, storedHeaders } from "./sdk-headers.ts";

type Stack = S3Client["middlewareStack"];
type Config = S3Client["config"];

/** A command of the SDK, whatever it is for. */
interface SdkCommand<O> {
  readonly middlewareStack: { add(middleware: never, options: never): void };
  resolveMiddleware(stack: Stack, config: Config, options: object): (command: never) => Promise<{ readonly output: O }>;
}

/** One run of a command: what the SDK hands to the client's handler of requests as its options. */
interface Sending {
  readonly abortSignal: AbortSignal;
  isSent: boolean;
}

export interface SdkTransportOptions {
  readonly client: SdkClient;
  readonly bucket: string;
  /** Milliseconds that an answer may take, beside the time for sending. */
  readonly timeout: number;
  readonly clock: Clock;
}

/** Bytes that are sent in a millisecond at the least. */
const slowest = 50;

/**
 * Sends by a client of the AWS SDK that somebody else made, and who has it keeps it. Two things are not as in the client: it does not
 * retry, which is for a layer, and it adds no checksums that other services do not know.
 */
export class SdkTransport implements Transport {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #stack: Stack;
  readonly #config: Config;
  readonly #plainConfig: Config;
  #loaded: typeof Sdk | undefined;

  constructor({ client, bucket, timeout, clock }: SdkTransportOptions) {
    this.#client = asS3Client(client);
    this.#bucket = bucket;
    this.#timeout = timeout;
    this.#clock = clock;
    this.#stack = this.#client.middlewareStack.clone();
    // In its place stands nothing: others are placed by its name.
    this.#stack.add((next) => next, { name: "retryMiddleware", step: "finalizeRequest", priority: "high", override: true });
    const required = async (): Promise<"WHEN_REQUIRED"> => "WHEN_REQUIRED";
    const config = { ...this.#client.config, requestHandler: tellingHandler(this.#client.config.requestHandler) };
    this.#plainConfig = { ...config, requestChecksumCalculation: required, responseChecksumValidation: required };
    this.#config = endpointOf(client) === undefined ? config : this.#plainConfig;
  }

  readonly open = async (): Promise<void> => {
    try {
      this.#loaded ??= await import("@aws-sdk/client-s3");
    } catch (error) {
      throw new StorageError("config", "The option client needs the package @aws-sdk/client-s3; install it.", {
        storage: "s3",
        cause: error,
      });
    }
  };

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      const output = await this.#send(new this.#sdk.HeadObjectCommand({ Bucket: this.#bucket, Key: key }), signal);
      if (output.ContentLength === undefined) throw badAnswer("The answer says no length.");
      return objectOf(output, output.ContentLength);
    } catch (error) {
      if (error instanceof S3Failure && error.status === 404) return undefined;
      throw error;
    }
  }

  async get(key: string, range: string | undefined, signal?: AbortSignal): Promise<Download | undefined> {
    try {
      const output = await this.#send(new this.#sdk.GetObjectCommand({ Bucket: this.#bucket, Key: key, Range: range }), signal);
      const { Body: body, ContentLength: length, ContentRange: contentRange } = output;
      if (!(body instanceof Readable) || length === undefined) throw badAnswer("The answer is no stream of a known length.");
      const part = parseContentRange(contentRange, length);
      return { ...objectOf(output, part.size), start: part.start, length: part.length, body };
    } catch (error) {
      if (error instanceof S3Failure && error.status === 404 && error.code !== "NoSuchBucket") return undefined;
      throw error;
    }
  }

  async put(key: string, body: Uint8Array, headers: Headers, signal?: AbortSignal): Promise<string | undefined> {
    const command = new this.#sdk.PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: body, ...inputOf(headers) });
    return bareEtag((await this.#send(command, signal, { size: body.byteLength })).ETag);
  }

  async delete(key: string, ifMatch: string | undefined, signal?: AbortSignal): Promise<void> {
    try {
      await this.#send(new this.#sdk.DeleteObjectCommand({ Bucket: this.#bucket, Key: key, IfMatch: ifMatch }), signal);
    } catch (error) {
      if (ifMatch !== undefined || !(error instanceof S3Failure) || error.status !== 404 || error.code === "NoSuchBucket") throw error;
    }
  }

  async deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<readonly DeleteFailure[]> {
    const failures: DeleteFailure[] = [];
    const fitting = keys.filter(fitsXml);
    if (fitting.length > 0) {
      const Objects = fitting.map((key) => ({ Key: key }));
      const command = new this.#sdk.DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } });
      addContentMd5(command);
      const { Errors = [] } = await this.#send(command, signal);
      for (const { Key: key, Code: code = "" } of Errors) if (key !== undefined) failures.push({ key, failure: keyFailure(code) });
    }
    for (const key of keys.filter((each) => !fitsXml(each))) {
      try {
        await this.delete(key, undefined, signal);
      } catch (error) {
        if (!(error instanceof S3Failure)) throw error;
        failures.push({ key, failure: error });
      }
    }
    return failures;
  }

  async list({ prefix, limit, delimiter, startAfter, token }: ListQuery, signal?: AbortSignal): Promise<Listing> {
    const output = await this.#send(
      new this.#sdk.ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        MaxKeys: limit,
        Delimiter: delimiter,
        StartAfter: startAfter,
        ContinuationToken: token,
        EncodingType: "url",
      }),
      signal,
    );
    const decode = output.EncodingType === "url" ? decodeUrl : (raw: string) => raw;
    return {
      objects: (output.Contents ?? []).map(({ Key: key = "", Size: size = 0, ETag: etag, LastModified: modified }) => ({
        key: decode(key),
        size,
        etag: bareEtag(etag),
        modifiedAt: modified?.getTime(),
      })),
      prefixes: (output.CommonPrefixes ?? []).map(({ Prefix: each = "" }) => decode(each)),
      isTruncated: output.IsTruncated === true,
      token: output.NextContinuationToken,
    };
  }

  async startUpload(key: string, headers: Headers, signal?: AbortSignal): Promise<string> {
    const command = new this.#sdk.CreateMultipartUploadCommand({ Bucket: this.#bucket, Key: key, ...inputOf(headers) });
    const { UploadId: id } = await this.#send(command, signal, { isPlain: true });
    if (id === undefined) throw badAnswer("The answer has no UploadId.");
    return id;
  }

  async uploadPart(
    key: string,
    id: string,
    number: number,
    body: Uint8Array,
    headers: Headers,
    signal?: AbortSignal,
  ): Promise<UploadedPart> {
    const part = { Bucket: this.#bucket, Key: key, UploadId: id, PartNumber: number, Body: body, ContentMD5: headers["content-md5"] };
    const output = await this.#send(new this.#sdk.UploadPartCommand(part), signal, { size: body.byteLength, isPlain: true });
    const etag = bareEtag(output.ETag);
    if (etag === undefined) throw badAnswer("The answer to a part has no etag.");
    return { number, etag };
  }

  async completeUpload(
    key: string,
    id: string,
    parts: readonly UploadedPart[],
    headers: Headers,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: `"${etag}"` }));
    const conditions = { IfMatch: headers["if-match"], IfNoneMatch: headers["if-none-match"] };
    const command = new this.#sdk.CompleteMultipartUploadCommand({
      Bucket: this.#bucket,
      Key: key,
      UploadId: id,
      MultipartUpload: { Parts },
      ...conditions,
    });
    return bareEtag((await this.#send(command, signal, { isPlain: true })).ETag);
  }

  async abortUpload(key: string, id: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#send(new this.#sdk.AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: id }), signal);
    } catch (error) {
      if (!(error instanceof S3Failure) || error.status !== 404) throw error;
    }
  }

  async uploads(prefix: string, after: UploadPage["next"], signal?: AbortSignal): Promise<UploadPage> {
    const output = await this.#send(
      new this.#sdk.ListMultipartUploadsCommand({
        Bucket: this.#bucket,
        Prefix: prefix,
        KeyMarker: after?.key,
        UploadIdMarker: after?.id,
        EncodingType: "url",
      }),
      signal,
    );
    const decode = output.EncodingType === "url" ? decodeUrl : (raw: string) => raw;
    const uploads = (output.Uploads ?? []).map(({ Key: key = "", UploadId: id = "", Initiated: started }) => {
      if (started === undefined) throw badAnswer("An upload has no time.");
      return { key: decode(key), id, startedAt: started.getTime() };
    });
    const next = output.IsTruncated === true ? { key: decode(output.NextKeyMarker ?? ""), id: output.NextUploadIdMarker ?? "" } : undefined;
    return { uploads, next };
  }

  async presign(method: string, key: string, seconds: number): Promise<string> {
    const { region, endpoint, forcesPath } = await addressOptionsOf(this.#client);
    const address = addressOf({ bucket: this.#bucket, region, endpoint, pathStyle: forcesPath || !fitsHost(this.#bucket, endpoint) });
    const request = { method, key, seconds, time: signingTime(this.#clock.now()) };
    const credentials = await this.#client.config.credentials().catch((error: unknown) => {
      throw failureOfSdk(error, false);
    });
    return presigned(request, address, new Signer(region), credentials);
  }

  /** Whoever made the client closes it. */
  close(): void {}

  get #sdk(): typeof Sdk {
    return this.#loaded!;
  }

  /** Sends a command once. The signal and the time limit end it. */
  async #send<O>(
    command: SdkCommand<O>,
    signal: AbortSignal | undefined,
    { size = 0, isPlain = false }: { readonly size?: number; readonly isPlain?: boolean } = {},
  ): Promise<O> {
    signal?.throwIfAborted();
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    let isLate = false;
    const late = setTimeout(
      () => {
        isLate = true;
        stop.abort();
      },
      this.#timeout + size / slowest,
    );
    signal?.addEventListener("abort", abort, { once: true });
    const sending: Sending = { abortSignal: stop.signal, isSent: false };
    try {
      const handler = command.resolveMiddleware(this.#stack, isPlain ? this.#plainConfig : this.#config, sending);
      return (await handler(command as never)).output;
    } catch (error) {
      signal?.throwIfAborted();
      const { isSent } = sending;
      if (isLate)
        throw new S3Failure(`The service did not answer within ${this.#timeout} ms.`, { status: 0, code: "Timeout", isUnknown: isSent });
      throw failureOfSdk(error, isSent);
    } finally {
      clearTimeout(late);
      signal?.removeEventListener("abort", abort);
    }
  }
}

/** The client's handler of requests, which says first that it got one. */
function tellingHandler(inner: Config["requestHandler"]): Config["requestHandler"] {
  const telling = Object.create(inner) as Config["requestHandler"];
  telling.handle = (request, options) => {
    (options as unknown as Sending).isSent = true;
    return inner.handle(request, options);
  };
  return telling;
}

interface ObjectOutput extends SdkHeaders {
  readonly ETag?: string | undefined;
  readonly LastModified?: Date | undefined;
}

function objectOf(output: ObjectOutput, size: number): ObjectInfo {
  return { size, etag: bareEtag(output.ETag), modifiedAt: output.LastModified?.getTime(), headers: storedHeaders(output) };
}

interface BuiltRequest {
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

/** Some services want this proof of a bulk delete, and know none of those that the SDK gives. */
function addContentMd5(command: SdkCommand<unknown>): void {
  const middleware =
    (next: (args: { readonly request: BuiltRequest }) => Promise<unknown>) =>
    (args: { readonly request: BuiltRequest }): Promise<unknown> => {
      args.request.headers["content-md5"] = createHash("md5").update(args.request.body).digest("base64");
      return next(args);
    };
  command.middlewareStack.add(middleware as never, { step: "build", name: "contentMd5", priority: "low" } as never);
}
