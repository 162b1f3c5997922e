import type { Server } from "node:http";

/** Milliseconds that requests get to end in once the server shuts down. */
const grace = 10_000;

/**
 * Follows the requests of a server. What it returns stops the server: it takes no more connections, and resolves when the
 * last request has ended, or was cut off after a while. Connections that only wait are not waited for.
 */
export function stoppable(server: Server): () => Promise<void> {
  let running = 0;
  let stopping = false;
  server.on("request", (_request, response) => {
    running++;
    response.once("close", () => {
      running--;
      if (stopping && running === 0) server.closeAllConnections();
    });
  });
  return () => {
    stopping = true;
    return new Promise((resolve, reject) => {
      const cutOff = setTimeout(() => server.closeAllConnections(), grace);
      server.close((error) => {
        clearTimeout(cutOff);
        if (error === undefined) resolve();
        else reject(error);
      });
      if (running === 0) server.closeAllConnections();
    });
  };
}
