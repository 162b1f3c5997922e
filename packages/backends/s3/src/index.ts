export { s3Storage, S3Storage } from "./s3-storage.ts";
export type { PresignOptions, S3Options, SweepOptions } from "./s3-storage.ts";
export type { HonouredConditions } from "./probe.ts";
export type { CredentialsSource } from "./lean/credentials.ts";
export type { S3Credentials } from "./lean/sigv4.ts";
export type { SdkClient } from "./sdk/handed-in.ts";
