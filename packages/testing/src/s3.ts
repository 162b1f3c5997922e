export * from "./s3/s3-double.ts";
export type { S3Answer, S3FaultTimes, S3Faults } from "./s3/faults.ts";
export type { S3Operation } from "./s3/requests.ts";
