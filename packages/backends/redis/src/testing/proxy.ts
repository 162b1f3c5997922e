import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** Stands between a client and its server, and can lose what the server says. */
export interface Proxy {
  readonly url: string;
  /** Answers are lost, and with the first one all that would follow it on its connection. */
  losing: boolean;
  /** Resolves when the first answer is lost from now on. */
  lost(): Promise<void>;
  /** Ends all connections. */
  cut(): void;
  close(): Promise<void>;
}

export async function startProxy(port: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const proxy = { losing: false };
  let tellLoss = (): void => {};
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    client.pipe(upstream);
    let isLost = false; // nothing comes after what was lost
    upstream.on("data", (data) => {
      isLost ||= proxy.losing;
      if (isLost) tellLoss();
      else client.write(data);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
        sockets.delete(socket);
      });
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return Object.assign(proxy, {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost: () => new Promise<void>((resolve) => (tellLoss = resolve)),
    cut,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  });
}
