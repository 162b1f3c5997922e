import { StorageError } from "@stowage/core";
import type { S3Client } from "@aws-sdk/client-s3";
import type { SdkClient } from "./handed-in.ts";

/** The parts of the SDK's configuration that it keeps to itself. */
interface SdkConfig {
  readonly endpoint?: (() => Promise<SdkEndpoint>) | undefined;
  readonly isCustomEndpoint?: boolean | undefined;
  readonly forcePathStyle?: boolean | undefined;
}

interface SdkEndpoint {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
}

/** The client with the types of the SDK. */
export function asS3Client(client: SdkClient): S3Client {
  if (typeof client?.destroy === "function" && typeof client.config === "object" && typeof client.middlewareStack === "object") {
    return client as S3Client;
  }
  throw new StorageError("invalid-option", "s3: client must be an S3Client of @aws-sdk/client-s3.", { storage: "s3" });
}

/** Whether a client talks to a service that is not AWS: some word for its endpoint, or nothing. */
export function endpointOf(client: SdkClient): string | undefined {
  const { isCustomEndpoint, endpoint } = asS3Client(client).config as unknown as SdkConfig;
  return isCustomEndpoint === true || (isCustomEndpoint === undefined && endpoint !== undefined) ? "of the client" : undefined;
}

/** Where a client sends what is for a bucket. */
export async function addressOptionsOf(
  client: S3Client,
): Promise<{ readonly region: string; readonly endpoint: string | undefined; readonly forcesPath: boolean }> {
  const { endpoint, forcePathStyle = false } = client.config as unknown as SdkConfig;
  const url = endpointOf(client) === undefined ? undefined : await endpoint?.();
  return {
    region: await client.config.region(),
    endpoint: url && `${url.protocol}//${url.hostname}${url.port === undefined ? "" : `:${url.port}`}${url.path}`,
    forcesPath: forcePathStyle,
  };
}
