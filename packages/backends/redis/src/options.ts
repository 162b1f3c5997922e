import type { Options } from "@stowage/core";
import { option } from "@stowage/core";
import { namespacePattern } from "./names.ts";

/** Where a Redis is. The password has an option of its own, which never shows. */
const address = {
  source: String.raw`^(rediss?://[^@\s/]+(/\d+)?/?|unix:///[^@\s]+)$`,
  meaning: "redis://host:port/database, rediss:// for TLS, or unix:///path; user name and password are options of their own",
};

const node = (description: string): ReturnType<typeof option.text> => option.text(description, { pattern: address });

/** How a server is reached, for storages and buses. */
const connectionDefinitions: Options = {
  url: option.text("The server: redis://host:port/database, rediss:// for TLS, or unix:///path.", {
    pattern: address,
    default: "redis://127.0.0.1:6379",
  }),
  sentinel: option.object("Sentinels that know the primary, in place of url.", {
    name: option.text("What the sentinels call the primary.", { required: true }),
    urls: option.list("The sentinels.", node("A sentinel."), { required: true, minLength: 1 }),
    password: option.secret("The password of the sentinels."),
  }),
  cluster: option.list("Some nodes of a cluster, in place of url.", node("A node."), { minLength: 1 }),
  username: option.text("The user of the access control list."),
  password: option.secret("The password of the server."),
  connectTimeout: option.duration("How long a connection may take.", { min: 1, default: 5_000 }),
  commandTimeout: option.duration("How long a command may take.", { min: 1, default: 5_000 }),
};

/** The options of a storage, for code and for storage files. */
export const definitions: Options = {
  ...connectionDefinitions,
  namespace: option.text("Which of several storages in one database this is.", { pattern: namespacePattern, default: "stowage" }),
  ordered: option.boolean("Keeps an index of the keys, so that lists are ordered and cost what they give. Not in a cluster.", {
    default: false,
  }),
  durability: option.choice(
    "What an acknowledged write must survive: nothing, the end of the server, or loss of power. The server is asked.",
    ["memory", "process", "power"],
    { default: "memory" },
  ),
  waitReplicas: option.whole("Replicas that must have a write before it is acknowledged.", { default: 0 }),
};

/** The options of a bus. */
export const busDefinitions: Options = {
  ...connectionDefinitions,
  channel: option.text("Caches that stand at the same place of their stacks share a channel.", {
    pattern: namespacePattern,
    required: true,
  }),
};
