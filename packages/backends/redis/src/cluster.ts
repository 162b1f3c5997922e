import type { RedisClusterType, RedisFunctions, RedisModules, RedisScripts, TypeMapping } from "@redis/client";
import { createCluster } from "@redis/client";
import type { Clock } from "@stowage/core";
import { Deadlines } from "@stowage/core";
import type { RedisConnectionOptions } from "./address.ts";
import { clientSettings, connectClient, waitBefore } from "./address.ts";
import type { Argument, Connection, Reply, ScannedNode } from "./command.ts";
import { Command, InFlight } from "./command.ts";
import type { CallOf } from "./errors.ts";
import { offline, translate } from "./errors.ts";

type ClusterClient = RedisClusterType<RedisModules, RedisFunctions, RedisScripts, 3, TypeMapping>;

/** The nodes of a cluster. Redirects are followed by the client: a node that sends a command elsewhere has not run it. */
export class Cluster implements Connection {
  readonly #options: RedisConnectionOptions;
  readonly #deadlines: Deadlines;
  readonly #inFlight = new InFlight();
  #client: ClusterClient | undefined;
  reconnects = 0;

  constructor(options: RedisConnectionOptions, clock: Clock) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.commandTimeout ?? 5_000, clock);
  }

  async open(): Promise<void> {
    const client = makeCluster(this.#options);
    client.on("error", () => {}); // without a listener, a lost connection would end the process
    client.on("node-ready", () => this.reconnects++);
    try {
      await connectClient(client, this.#options.connectTimeout ?? 5_000);
    } catch (error) {
      throw translate(error, { operation: "open", writes: false });
    }
    this.reconnects = 0;
    this.#client = client;
  }

  send<T>(name: string, command: Argument[], call: CallOf, decode: (reply: Reply) => T): Promise<T> {
    const client = this.#client;
    if (client === undefined) return Promise.reject(offline(call));
    return this.#track(client.sendCommand<Reply>(name, false, command), call, decode);
  }

  nodes(): readonly ScannedNode[] {
    const client = this.#client;
    if (client === undefined) throw offline({ operation: "list" });
    return client.masters
      .map((master) => ({
        name: master.address,
        scan: async (command: Argument[], call: CallOf): Promise<Reply> => {
          const node = await client.nodeClient(master);
          return await this.#track(node.sendCommand<Reply>(command), call, (reply) => reply);
        },
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  idle(): Promise<void> {
    return this.#inFlight.idle();
  }

  close(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }

  #track<T>(sending: Promise<Reply>, call: CallOf, decode: (reply: Reply) => T): Promise<T> {
    const sent = new Command(call, decode, this.#inFlight, () => {});
    this.#deadlines.join(sent);
    sending.then(sent.answered, sent.failed);
    return sent.promise;
  }
}

function makeCluster({ cluster = [], username, password, connectTimeout = 5_000 }: RedisConnectionOptions): ClusterClient {
  const tls = cluster.some((url) => url.startsWith("rediss:"));
  return createCluster({
    RESP: clientSettings.RESP,
    rootNodes: cluster.map((url) => ({ url })),
    commandOptions: clientSettings.commandOptions,
    defaults: {
      ...clientSettings,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      socket: { connectTimeout, reconnectStrategy: waitBefore, ...(tls && { tls }) },
    },
  }) as unknown as ClusterClient;
}
