import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadStorages } from "@stowage/config";
import { startServer } from "./server.ts";

const usage = `Usage: npm start [-- --port 8080] [--host 127.0.0.1] [--config storage.yaml]`;

try {
  const options = { port: { type: "string", default: "8080" }, host: { type: "string" }, config: { type: "string" } } as const;
  const { values } = parseArgs({ options });
  const config = resolve(values.config ?? resolve(import.meta.dirname, "../storage.yaml"));
  const open = async () => {
    const storages = await loadStorages(config);
    console.log(storages.explain());
    return storages;
  };
  const server = await startServer({ open, port: Number(values.port), host: values.host });
  console.log(`\nListening on ${server.url}. Stop with Ctrl-C.`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      server.close().catch((error: unknown) => {
        console.error(error);
        process.exitCode = 1;
      });
    });
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(usage);
  process.exitCode = 2;
}
