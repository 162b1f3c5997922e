import { writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { freePort, freePorts } from "./ports.ts";
import type { ServerOptions } from "./running-server.ts";
import { RunningServer } from "./running-server.ts";

export interface RedisOptions extends ServerOptions {
  /** Whether an acknowledged write survives the end of the process. @default false */
  readonly durable?: boolean | undefined;
}

export interface RedisServer {
  readonly server: RunningServer;
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on its port, with what it had stored. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A primary with a replica, and three sentinels that watch it. */
export interface RedisSentinel {
  readonly server: RunningServer;
  /** What the sentinels call the primary. */
  readonly name: string;
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** Ends whichever is the primary at once, and gives its port; a sentinel promotes the other one soon after. */
  killPrimary(): Promise<number>;
  stop(): Promise<void>;
}

export interface RedisCluster {
  readonly server: RunningServer;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  stop(): Promise<void>;
}

const host = "127.0.0.1";
const inMemory = ["--save", "", "--appendonly", "no"];
const onDisk = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];

export async function redisServer({ durable = false, ...options }: RedisOptions = {}): Promise<RedisServer> {
  const server = await RunningServer.make("redis", options);
  const port = await freePort();
  const start = (): Promise<void> => startNode(server, "redis", port, durable ? onDisk : inMemory);
  await startOrStop(server, start);
  return { server, host, port, url: `redis://${host}:${port}`, kill: () => server.kill("redis"), start, stop: () => server.stop() };
}

export async function redisSentinel(options?: ServerOptions): Promise<RedisSentinel> {
  const server = await RunningServer.make("redis-sentinel", options);
  const [primary, replica, ...sentinels] = (await freePorts(5)) as [number, number, ...number[]];
  const name = "stowage";
  await startOrStop(server, async () => {
    await startNode(server, "primary", primary, inMemory);
    await startNode(server, "replica", replica, [...inMemory, "--replicaof", host, String(primary)]);
    await server.until("the replica follows", async () => (await ask(replica, "INFO replication")).includes("master_link_status:up"));
    for (const port of sentinels) {
      const settings = `${server.folder}/sentinel-${port}.conf`;
      writeFileSync(settings, sentinelSettings(name, port, primary));
      server.spawn(`sentinel-${port}`, "redis-server", [settings, "--sentinel"]);
    }
    await server.until("the sentinels know each other", async () => {
      const answers = await Promise.all(sentinels.map((port) => ask(port, `SENTINEL master ${name}`)));
      return answers.every((answer) => /num-other-sentinels\s+\$1\s+2\s/.test(answer) && /num-slaves\s+\$1\s+1\s/.test(answer));
    });
  });
  return {
    server,
    name,
    sentinels: sentinels.map((port) => ({ host, port })),
    killPrimary: async () => {
      const told = await ask(sentinels[0]!, `SENTINEL get-master-addr-by-name ${name}`);
      const isFirst = told.includes(`\r\n${primary}\r\n`);
      await server.kill(isFirst ? "primary" : "replica");
      return isFirst ? primary : replica;
    },
    stop: () => server.stop(),
  };
}

/** Three nodes that share the keys. */
export async function redisCluster(options?: ServerOptions): Promise<RedisCluster> {
  const server = await RunningServer.make("redis-cluster", options);
  // The bus of a node listens on another port, which must be free as well.
  const ports = await freePorts(6);
  const nodes = ports.slice(0, 3);
  await startOrStop(server, async () => {
    for (const [index, port] of nodes.entries()) {
      const cluster = [
        "--cluster-enabled",
        "yes",
        "--cluster-config-file",
        `nodes-${port}.conf`,
        "--cluster-port",
        String(ports[index + 3]),
      ];
      await startNode(server, `node-${port}`, port, [...inMemory, ...cluster]);
    }
    server.run("redis-cli", ["--cluster", "create", ...nodes.map((port) => `${host}:${port}`), "--cluster-yes"]);
    await server.until("all nodes know of all slots", async () => {
      const answers = await Promise.all(nodes.map((port) => ask(port, "CLUSTER INFO")));
      return answers.every((answer) => answer.includes("cluster_state:ok"));
    });
  });
  return { server, nodes: nodes.map((port) => ({ host, port })), stop: () => server.stop() };
}

async function startNode(server: RunningServer, name: string, port: number, settings: readonly string[]): Promise<void> {
  const common = [
    "--port",
    String(port),
    "--bind",
    host,
    "--dir",
    server.folder,
    "--dbfilename",
    `${name}.rdb`,
    "--appenddirname",
    `${name}.aof`,
  ];
  server.spawn(name, "redis-server", [...common, ...settings]);
  await server.until(`${name} answers`, async () => (await ask(port, "PING")).startsWith("+PONG"));
}

async function startOrStop(server: RunningServer, start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const sentinelSettings = (name: string, port: number, primary: number): string => `port ${port}
bind ${host}
sentinel monitor ${name} ${host} ${primary} 2
sentinel down-after-milliseconds ${name} 1000
sentinel failover-timeout ${name} 5000
sentinel parallel-syncs ${name} 1
`;

/** What a server says to one command. */
async function ask(port: number, command: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = createConnection({ host, port });
    let answer = "";
    socket.setTimeout(2_000, () => socket.destroy(new Error("No answer.")));
    socket.on("data", (data) => (answer += data.toString()));
    socket.once("error", reject);
    socket.once("close", () => resolve(answer));
    socket.end(`${command}\r\nQUIT\r\n`);
  });
}
