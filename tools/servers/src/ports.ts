import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below the ports that Linux gives to connections and to servers that ask for any (32,768 to 60,999): nobody gets one of
 * these by chance between the moment when it is found free and the moment when a server listens on it.
 */
const [lowest, highest] = [10_000, 32_000] as const;

/** Ports of the loopback interface that nobody listened on a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}
