import { parseArgs } from "node:util";
import { cephServer } from "./ceph.ts";
import { postgresServer } from "./postgres.ts";
import type { ServerName } from "./programs.ts";
import { serverNames, skipReason } from "./programs.ts";
import { redisServer } from "./redis.ts";
import type { RunningServer } from "./running-server.ts";
import type { S3Address } from "./s3-address.ts";
import { isRunning, processOf, startedServers, stopStarted, writeDown } from "./state.ts";
import { swiftServer } from "./swift.ts";

const usage = `pnpm servers up [name...]      starts real servers on free ports of this machine, and prints their addresses
pnpm servers down [name...]    stops what was started that way, and nothing else
pnpm servers status            says what runs

Servers: ${serverNames.join(", ")}; without a name all of them.`;

const starters: Record<ServerName, () => Promise<{ server: RunningServer; address: Record<string, string> }>> = {
  async ceph() {
    const ceph = await cephServer({ detached: true, durable: true });
    return { server: ceph.server, address: s3Address(ceph) };
  },
  async swift() {
    const swift = await swiftServer({ detached: true });
    return { server: swift.server, address: s3Address(swift) };
  },
  async redis() {
    const { server, url } = await redisServer({ detached: true, durable: true });
    return { server, address: { url } };
  },
  async postgres() {
    const { server, url } = await postgresServer({ detached: true });
    return { server, address: { url } };
  },
};

/** Exit codes: 0 all well, 1 a server could not be started, 2 bad input. */
async function main(): Promise<number> {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [command, ...names] = positionals;
  const unknown = names.filter((name) => !(serverNames as readonly string[]).includes(name));
  if (command === undefined || !["up", "down", "status"].includes(command) || unknown.length > 0) {
    console.error(unknown.length > 0 ? `There is no server "${unknown.join(", ")}".\n\n${usage}` : usage);
    return 2;
  }
  const chosen = names.length === 0 ? serverNames : (names as ServerName[]);
  if (command === "up") return await up(chosen);
  if (command === "down") await down(chosen);
  status();
  return 0;
}

async function up(names: readonly ServerName[]): Promise<number> {
  let failed = 0;
  for (const name of names) {
    if (startedServers().some((started) => started.name === name && started.processes.every(isRunning))) continue;
    const reason = skipReason(name);
    try {
      if (reason !== undefined) throw new Error(reason);
      const { server, address } = await starters[name]();
      const processes = Object.entries(server.processes).map(([process, pid]) => processOf(process, pid));
      writeDown([...startedServers().filter((started) => started.name !== name), { name, folder: server.folder, address, processes }]);
    } catch (error) {
      console.error(`${name} was not started: ${error instanceof Error ? error.message : String(error)}`);
      failed++;
    }
  }
  status();
  return failed === 0 ? 0 : 1;
}

async function down(names: readonly ServerName[]): Promise<void> {
  for (const started of startedServers().filter(({ name }) => names.includes(name))) {
    await stopStarted(started);
    writeDown(startedServers().filter(({ name }) => name !== started.name));
  }
}

function status(): void {
  const started = startedServers();
  if (started.length === 0) console.log("No server runs.");
  for (const { name, address, processes } of started) {
    const ended = processes.filter((process) => !isRunning(process));
    const state = ended.length === 0 ? "runs" : `has ended: ${ended.map((process) => process.name).join(", ")}`;
    console.log([`${name} ${state}`, ...Object.entries(address).map(([field, value]) => `  ${field}: ${value}`)].join("\n"));
  }
}

const s3Address = ({ endpoint, region, accessKeyId, secretAccessKey }: S3Address): Record<string, string> => ({
  endpoint,
  region,
  accessKeyId,
  secretAccessKey,
});

process.exitCode = await main();
