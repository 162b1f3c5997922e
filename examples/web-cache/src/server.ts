import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Storages } from "@stowage/config";
import { makeApp } from "./app.ts";
import { stoppable } from "./shutdown.ts";
import { startTelemetry } from "./telemetry.ts";

export interface RunningServer {
  /** Where it listens: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Takes no more requests, answers those that run, then closes the storages. Calling it again is harmless. */
  close(): Promise<void>;
}

export interface ServerOptions {
  /** Makes the storages, `notes` and `files`. Closed with the server. */
  readonly open: () => Promise<Storages>;
  /** @default one that is free */
  readonly port?: number | undefined;
  /** @default "127.0.0.1" */
  readonly host?: string | undefined;
  /** @default console.error */
  readonly log?: ((error: unknown) => void) | undefined;
}

/** Starts telemetry, opens the storages and listens. */
export async function startServer({ open, port = 0, host = "127.0.0.1", log = console.error }: ServerOptions): Promise<RunningServer> {
  const telemetry = startTelemetry(); // before the storages, which look for it
  let storages: Storages | undefined;
  let closing: Promise<void> | undefined;
  try {
    storages = await open();
    const app = makeApp({
      notes: storages.get("notes"),
      files: storages.bytes("files"),
      metrics: () => telemetry.scrape(),
      isReady: () => closing === undefined,
      log,
    });
    const server = createAdaptorServer({ fetch: app.fetch }) as Server;
    const stop = stoppable(server);
    await listen(server, port, host);
    const close = async (): Promise<void> => {
      await stop();
      await storages?.close();
      await telemetry.stop();
    };
    return { url: `http://${host}:${(server.address() as AddressInfo).port}`, close: () => (closing ??= close()) };
  } catch (error) {
    await storages?.close();
    await telemetry.stop();
    throw error;
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
