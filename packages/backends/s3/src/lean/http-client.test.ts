import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { HttpClient } from "./http-client.ts";

const timeout = 200;

/** An answer that says it has 1,000 bytes, gives 10 of them and stalls. */
async function stalledAnswer(): Promise<IncomingMessage> {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("0123456789");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const client = new HttpClient(
    { isSecure: false, hostname: "127.0.0.1", port, host, base: "" },
    { connections: 1, connectTimeout: 5_000, timeout },
  );
  onTestFinished(() => {
    client.close();
    server.close();
    server.closeAllConnections();
  });
  return await client.send({ method: "GET", path: "/", headers: ["host", host], body: undefined, signal: undefined });
}

test.each(["with", "without"])(
  "a reader may pause for long, %s bytes that wait for it, and a service that stalls after that is late",
  async (how) => {
    const response = await stalledAnswer();
    if (how === "without") await once(response, "data");
    response.pause();
    await once(response.socket, "timeout");
    expect(response.destroyed).toBe(false);
    response.on("data", () => {}).resume();
    const [error] = (await once(response, "error")) as [unknown];
    expect(error).toMatchObject({ code: "Timeout", message: `The service sent nothing for ${timeout} ms.` });
  },
);
