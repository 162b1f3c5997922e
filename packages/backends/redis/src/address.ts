import { setTimeout as sleep } from "node:timers/promises";
import type { RedisClientType, RedisFunctions, RedisModules, RedisScripts, TypeMapping } from "@redis/client";
import { createClient, RESP_TYPES } from "@redis/client";

/** How a server is reached. The three ways exclude each other. */
export interface RedisConnectionOptions {
  /** The server: `redis://host:port/database`, `rediss://` for TLS, or `unix:///path`. @default "redis://127.0.0.1:6379" */
  readonly url?: string | undefined;
  /** Sentinels that know the primary. */
  readonly sentinel?: RedisSentinelOptions | undefined;
  /** Some nodes of a cluster, each as a `url`. */
  readonly cluster?: readonly string[] | undefined;
  /** The user of the access control list. @default the user "default" */
  readonly username?: string | undefined;
  /** @default none */
  readonly password?: string | undefined;
  /** Milliseconds that a connection may take. @default 5_000 */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds that a command may take before it is a `timeout`. @default 5_000 */
  readonly commandTimeout?: number | undefined;
}

export interface RedisSentinelOptions {
  /** What the sentinels call the primary. */
  readonly name: string;
  /** Each as a `url`. */
  readonly urls: readonly string[];
  /** The password of the sentinels themselves. @default none */
  readonly password?: string | undefined;
}

/** The client as it is used here: commands by name, bytes as Buffers. */
export type Client = RedisClientType<RedisModules, RedisFunctions, RedisScripts, 3, TypeMapping>;

export const defaultUrl = "redis://127.0.0.1:6379";

/**
 * What holds for every client. Nothing is queued while there is no connection, and nothing is sent a second time: what
 * becomes of a command is known, or it is said that it is not. Time-outs are ours: those of the client end when a command is sent.
 */
export const clientSettings: {
  readonly RESP: 3;
  readonly disableOfflineQueue: true;
  readonly maintNotifications: "disabled";
  readonly commandOptions: { readonly timeout: 0; readonly typeMapping: TypeMapping };
} = {
  RESP: 3,
  disableOfflineQueue: true,
  maintNotifications: "disabled",
  commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
};

/** Milliseconds between two attempts to connect: at first, and at most. */
const firstWait = 50;
const longestWait = 2_000;

/** How long to wait before attempt number `attempt`, counted from 0: doubled up to a cap, half of it by chance. */
export function waitBefore(attempt: number): number {
  return Math.min(firstWait * 2 ** Math.min(attempt, 10), longestWait) * (0.5 + Math.random() / 2);
}

/** A client of one server, which does not reconnect by itself: the address may be another one by then. */
export function makeClient(url: string, { username, password, connectTimeout = 5_000 }: RedisConnectionOptions): Client {
  const client = createClient({
    ...clientSettings,
    url,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    socket: { reconnectStrategy: false, connectTimeout },
  }) as unknown as Client;
  client.on("error", () => {}); // without a listener, a lost connection would end the process
  return client;
}

/** Connects, or gives up in time and leaves nothing. */
export async function connectClient(client: { connect(): Promise<unknown>; destroy(): void }, connectTimeout: number): Promise<void> {
  try {
    await withinTime(client.connect(), connectTimeout);
  } catch (error) {
    client.destroy();
    throw error;
  }
}

/** What a promise gives, or a rejection when that takes too long. */
export async function withinTime<T>(promise: Promise<T>, limit: number): Promise<T> {
  const stop = new AbortController();
  const late = sleep(limit, undefined, { signal: stop.signal }).then(() => {
    throw new Error("The server did not answer in time.");
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}
