import type { Options } from "@stowage/core";
import { option } from "@stowage/core";

/** The options, for code and for storage files. */
export const definitions: Options = {
  bucket: option.text("The bucket, which must be there.", {
    required: true,
    pattern: { source: "^[A-Za-z0-9][A-Za-z0-9._\\-]{1,254}$", meaning: "the name of a bucket" },
  }),
  prefix: option.text("Stands before every key in the bucket, so that several storages share one.", { default: "" }),
  region: option.text("The region of the bucket; else AWS_REGION, else us-east-1.", {
    pattern: { source: "^[A-Za-z0-9\\-]{1,64}$", meaning: "the name of a region" },
  }),
  endpoint: option.text("The address of a service that is not AWS, such as https://s3.example.com."),
  pathStyle: option.boolean("Whether the bucket stands in the path and not in the host; so for every endpoint, unless it is said."),
  credentials: option.object("Who signs; else AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.", {
    accessKeyId: option.text("The name of the key.", { required: true }),
    secretAccessKey: option.secret("The key.", { required: true }),
    sessionToken: option.secret("Comes with keys that end."),
  }),
  conditions: option.list(
    "What the service decides itself; see probe(). All for AWS, none for an endpoint.",
    option.choice("A condition.", ["create", "replace", "delete", "stream"]),
    { maxLength: 4 },
  ),
  checksum: option.boolean("Stores the SHA-256 of each value with it, and checks it when the whole value is read.", { default: false }),
  partSize: option.size("Bytes of a part of an upload.", { min: 5 * 1024 * 1024, max: 5 * 1024 * 1024 * 1024, default: 8 * 1024 * 1024 }),
  partsInFlight: option.whole("Parts of one upload that are sent at once.", { min: 1, max: 64, default: 4 }),
  connections: option.whole("Connections at the most.", { min: 1, default: 64 }),
  connectTimeout: option.duration("How long a connection may take to stand.", { min: 1, default: 5_000 }),
  timeout: option.duration("How long the service may send nothing.", { min: 1, default: 60_000 }),
};
