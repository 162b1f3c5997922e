import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "@stowage/core";
import { Deadlines } from "@stowage/core";
import type { Client, RedisConnectionOptions, RedisSentinelOptions } from "./address.ts";
import { connectClient, defaultUrl, makeClient, waitBefore, withinTime } from "./address.ts";
import type { Argument, Connection, Reply, ScannedNode } from "./command.ts";
import { Command, InFlight } from "./command.ts";
import type { CallOf } from "./errors.ts";
import { offline, translate } from "./errors.ts";

export interface ServerEvents {
  /** Told of each connection when it can be used. */
  readonly onConnect?: (() => void) | undefined;
  /** Runs on each new connection before it is used. */
  readonly prepare?: ((client: Client) => Promise<void>) | undefined;
}

/**
 * One server, or the one that sentinels call the primary. A connection that is lost is made again for ever, after waits with
 * chance in them; meanwhile every command fails at once.
 */
export class Server implements Connection {
  readonly #options: RedisConnectionOptions;
  readonly #events: ServerEvents;
  readonly #deadlines: Deadlines;
  readonly #inFlight = new InFlight();
  readonly #clock: Clock;
  #closing = new AbortController();
  #client: Client | undefined;
  #attempts = 0;
  reconnects = 0;

  constructor(options: RedisConnectionOptions, clock: Clock, events: ServerEvents = {}) {
    this.#options = options;
    this.#clock = clock;
    this.#events = events;
    this.#deadlines = new Deadlines(options.commandTimeout ?? 5_000, clock);
  }

  /** The client while there is a connection. */
  get client(): Client | undefined {
    return this.#client;
  }

  async open(): Promise<void> {
    this.#closing = new AbortController();
    try {
      await this.#connect();
    } catch (error) {
      throw translate(error, { operation: "open", writes: false });
    }
  }

  send<T>(_name: string, command: Argument[], call: CallOf, decode: (reply: Reply) => T): Promise<T> {
    const client = this.#client;
    if (client === undefined) return Promise.reject(offline(call));
    const sent = new Command(call, decode, this.#inFlight, (startedAt) => this.#suspect(client, startedAt));
    this.#deadlines.join(sent);
    client.sendCommand<Reply>(command).then(
      (reply) => {
        this.#inFlight.lastAnswer = this.#clock.now();
        sent.answered(reply);
      },
      (error: unknown) => {
        sent.failed(error);
        if (error instanceof Error && error.message.startsWith("READONLY")) this.#drop(client);
      },
    );
    return sent.promise;
  }

  nodes(): readonly ScannedNode[] {
    return [{ name: "", scan: (command, call) => this.send("", command, call, (reply) => reply) }];
  }

  idle(): Promise<void> {
    return this.#inFlight.idle();
  }

  close(): void {
    this.#closing.abort();
    this.#client?.destroy();
    this.#client = undefined;
  }

  /** No answer came in time: where no other came either since then, the connection is dead, although it looks alive. */
  #suspect(client: Client, startedAt: number): void {
    if (this.#inFlight.lastAnswer < startedAt) this.#drop(client);
  }

  async #connect(): Promise<void> {
    const { sentinel, connectTimeout = 5_000 } = this.#options;
    const client = makeClient(await this.#address(), this.#options);
    await connectClient(client, connectTimeout);
    try {
      if (sentinel !== undefined) await withinTime(checkPrimary(client), connectTimeout);
      if (this.#events.prepare !== undefined) await withinTime(this.#events.prepare(client), connectTimeout);
    } catch (error) {
      client.destroy();
      throw error;
    }
    if (this.#closing.signal.aborted) return client.destroy();
    this.#client = client;
    client.once("terminated", () => this.#drop(client));
    if (!client.isReady) this.#drop(client);
    else this.#events.onConnect?.();
  }

  /** Of the nodes of a cluster any will do for what does not ask for keys; another one is tried where one does not answer. */
  async #address(): Promise<string> {
    const { sentinel, cluster, url = defaultUrl } = this.#options;
    if (sentinel !== undefined) return await primaryOf(sentinel, this.#options);
    return cluster === undefined ? url : cluster[this.#attempts++ % cluster.length]!;
  }

  #drop(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    // What waits for an answer on it fails now. Not at once: this may be called by the client itself.
    queueMicrotask(() => client.destroy());
    void this.#reconnect();
  }

  /** Connects, or goes on trying for ever; answers after the first attempt. */
  async start(): Promise<void> {
    await this.#connect().catch(() => void this.#reconnect());
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await sleep(waitBefore(attempt), undefined, { signal, ref: false });
        await this.#connect();
        this.reconnects++;
        return;
      } catch {
        // Whoever calls meanwhile is told.
      }
    }
  }
}

/** Asks one sentinel after the other where the primary is. */
async function primaryOf(sentinel: RedisSentinelOptions, options: RedisConnectionOptions): Promise<string> {
  const { connectTimeout = 5_000 } = options;
  let failure: unknown;
  for (const url of sentinel.urls) {
    const client = makeClient(url, { password: sentinel.password, connectTimeout });
    try {
      await connectClient(client, connectTimeout);
      const found = await withinTime(client.sendCommand<Reply>(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinel.name]), connectTimeout);
      if (!Array.isArray(found)) throw new Error("The sentinel does not know the primary by this name.");
      const [host, port] = found as [Buffer, Buffer];
      const name = host.includes(":") ? `[${host.toString()}]` : host.toString();
      return `${url.startsWith("rediss:") ? "rediss" : "redis"}://${name}:${port.toString()}`;
    } catch (error) {
      failure = error;
    } finally {
      client.destroy();
    }
  }
  throw failure;
}

/** A sentinel may be the last to hear of a failover. */
async function checkPrimary(client: Client): Promise<void> {
  const role = (await client.sendCommand<Reply>(["ROLE"])) as readonly Buffer[];
  if (String(role[0]) !== "master") throw new Error("The server that the sentinel named is no primary.");
}
