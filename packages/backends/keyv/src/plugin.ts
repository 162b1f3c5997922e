import type { Plugin } from "@stowage/core";
import { definePlugin, option, StorageError } from "@stowage/core";
import type { KeyvAdapter } from "./adapter.ts";
import type { KeyvOptions } from "./index.ts";
import { keyvStorage } from "./index.ts";
import { definitions } from "./options.ts";

/** The adapters that a storage file may name; nothing else is ever imported. */
const adapters = ["etcd", "memcache", "mongo", "mysql", "postgres", "redis", "sqlite", "valkey"] as const;

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "backend",
    name: "keyv",
    description: "Keeps entries in any store that Keyv has an adapter for.",
    gives: "bytes",
    options: {
      adapter: option.choice("The adapter: `sqlite` is the package @keyv/sqlite, which must be installed.", adapters, { required: true }),
      uri: option.secret("Where the store is, as the adapter wants it.", { required: true }),
      ...definitions,
    },
    make: ({ adapter, uri, ...options }, { clock }) =>
      keyvStorage({ ...(options as Omit<KeyvOptions, "store">), store: () => makeAdapter(adapter, uri), clock }),
  }),
];

async function makeAdapter(name: string, uri: string): Promise<KeyvAdapter> {
  const packageName = `@keyv/${name}`;
  try {
    const { default: Adapter } = (await import(/* @vite-ignore */ packageName)) as { default: new (uri: string) => KeyvAdapter };
    return new Adapter(uri);
  } catch (error) {
    throw new StorageError("config", `The adapter ${packageName} cannot be loaded: npm install ${packageName}`, {
      storage: "keyv",
      cause: error,
    });
  }
}
