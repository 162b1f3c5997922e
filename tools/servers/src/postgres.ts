import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import type { ServerOptions } from "./running-server.ts";
import { RunningServer } from "./running-server.ts";

/** A PostgreSQL server that trusts everybody on this machine. */
export async function postgresServer(
  options?: ServerOptions,
): Promise<{ readonly server: RunningServer; readonly port: number; readonly url: string; stop(): Promise<void> }> {
  const server = await RunningServer.make("postgres", options);
  const port = await freePort();
  const data = join(server.folder, "data");
  mkdirSync(data);
  server.runAs("postgres");
  try {
    server.run("initdb", ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync"]);
    server.spawn("postgres", "postgres", ["-F", "-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", server.folder]);
    await server.until("it accepts connections", () => acceptsConnections(port));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { server, port, url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop: () => server.stop() };
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
