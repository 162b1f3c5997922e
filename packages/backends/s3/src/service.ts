import type { Clock, Condition } from "@stowage/core";
import { checkOptions, StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import { addressOf, fitsHost } from "./lean/address.ts";
import { Credentials } from "./lean/credentials.ts";
import { LeanTransport } from "./lean/lean-transport.ts";
import type { S3Credentials } from "./lean/sigv4.ts";
import { definitions } from "./options.ts";
import type { S3Options } from "./s3-storage.ts";
import type { SdkClient } from "./sdk/handed-in.ts";
import { endpointOf } from "./sdk/sdk-client.ts";
import { SdkTransport } from "./sdk/sdk-transport.ts";
import type { Settings } from "./settings.ts";
import type { Transport } from "./transport.ts";

/** Where a storage keeps its entries, and what it knows about it before it has asked. */
export interface S3Service {
  readonly settings: Settings;
  readonly conditions: readonly Condition[];
  /** The options without secrets. */
  readonly details: Readonly<Record<string, unknown>>;
}

const everyCondition: readonly Condition[] = ["create", "replace", "delete", "stream"];

/** @throws StorageError `invalid-option` */
export function serviceOf(options: S3Options, clock: Clock): S3Service {
  checkOptions(definitions, withoutExtras(options), storageName, ["client"]);
  const { bucket, prefix = "", client, checksum = false } = options;
  const endpoint = client === undefined ? options.endpoint : endpointOf(client);
  const { partSize = 8 * 2 ** 20, partsInFlight = 4 } = options;
  const conditions = options.conditions ?? (endpoint === undefined ? everyCondition : []);
  return {
    settings: {
      transport: client === undefined ? leanTransport(options, clock) : sdkTransport(client, options, clock),
      prefix,
      checksum,
      partSize,
      partsInFlight,
      clock,
    },
    conditions: [...conditions],
    details: {
      bucket,
      prefix,
      ...(client === undefined ? { region: regionOf(options), endpoint } : { client: "@aws-sdk/client-s3" }),
      conditions,
      checksum,
      partSize,
      partsInFlight,
    },
  };
}

/** Credentials come from providers too, which add what is their own: only what signs is looked at. */
function withoutExtras(options: S3Options): S3Options {
  const credentials: unknown = options?.credentials;
  if (typeof credentials === "function") return { ...options, credentials: undefined };
  if (typeof credentials !== "object" || credentials === null) return options;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials as S3Credentials;
  return { ...options, credentials: { accessKeyId, secretAccessKey, sessionToken } };
}

function leanTransport(options: S3Options, clock: Clock): Transport {
  const { bucket, endpoint, credentials, connections = 64, connectTimeout = 5_000, timeout = 60_000 } = options;
  const region = regionOf(options);
  const pathStyle = options.pathStyle ?? !fitsHost(bucket, endpoint);
  const address = addressOf({ bucket, region, endpoint, pathStyle });
  return new LeanTransport({
    address,
    region,
    credentials: new Credentials(credentials, clock),
    clock,
    connections,
    connectTimeout,
    timeout,
  });
}

function sdkTransport(client: SdkClient, options: S3Options, clock: Clock): Transport {
  for (const name of ["region", "endpoint", "pathStyle", "credentials", "connections", "connectTimeout"] as const) {
    if (options[name] === undefined) continue;
    throw new StorageError("invalid-option", `s3: give either client or ${name}; the client brings its own.`, { storage: storageName });
  }
  return new SdkTransport({ client, bucket: options.bucket, timeout: options.timeout ?? 60_000, clock });
}

const regionOf = ({ region }: S3Options): string => region ?? process.env["AWS_REGION"] ?? "us-east-1";
