import { StorageError } from "@stowage/core";
import { encodeKey } from "./sigv4.ts";

export interface AddressOptions {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint: string | undefined;
  readonly pathStyle: boolean;
}

/** Where a bucket is. */
export interface Address {
  readonly isSecure: boolean;
  readonly hostname: string;
  readonly port: number;
  /** Value of the `Host` header. */
  readonly host: string;
  /** What stands before the slash of the key in a path: the bucket, where it is not in the host. */
  readonly base: string;
}

/** The path of an object of the bucket, encoded. */
export function pathOf(address: Address, key: string): string {
  return `${address.base}/${encodeKey(key)}`;
}

/** @throws StorageError `invalid-option` where the endpoint is no address */
export function addressOf({ bucket, region, endpoint, pathStyle }: AddressOptions): Address {
  const url = endpointUrl(endpoint ?? `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`);
  const isSecure = url.protocol === "https:";
  const hostname = pathStyle ? url.hostname : `${bucket}.${url.hostname}`;
  const folder = url.pathname.replace(/\/+$/, "");
  return {
    isSecure,
    hostname: hostname.replaceAll(/^\[|\]$/g, ""),
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    host: url.port === "" ? hostname : `${hostname}:${url.port}`,
    base: pathStyle ? `${folder}/${bucket}` : folder,
  };
}

/** Whether the bucket can stand in the host: not over TLS where it has dots, which no certificate covers. */
export function fitsHost(bucket: string, endpoint: string | undefined): boolean {
  return endpoint === undefined && !bucket.includes(".");
}

function endpointUrl(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.search === "" && url.hash === "") return url;
  throw new StorageError("invalid-option", "s3: endpoint must be an address that starts with http:// or https://, without credentials.", {
    storage: "s3",
  });
}
