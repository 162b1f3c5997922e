/** An `S3Client` of `@aws-sdk/client-s3`. Its type is not that one, so that who does not use the SDK need not have it. */
export interface SdkClient {
  readonly config: object;
  readonly middlewareStack: object;
  destroy(): void;
}
