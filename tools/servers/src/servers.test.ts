import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { cephServer, postgresServer, redisCluster, redisSentinel, redisServer, swiftServer } from "./index.ts";
import type { ServerName } from "./programs.ts";
import { serverNames, skipReason } from "./programs.ts";

const timeout = 180_000;

/** In CI every program is there: a test that cannot run is a failure. */
function needs(name: ServerName): { skip: boolean } {
  const reason = skipReason(name);
  if (reason !== undefined && process.env["CI"] !== undefined) throw new Error(reason);
  return { skip: reason !== undefined };
}

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);

async function say(port: number, command: string): Promise<string> {
  const socket = createConnection({ port, host: "127.0.0.1" });
  socket.end(`${command}\r\nQUIT\r\n`);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

describe("ceph", { timeout, ...needs("ceph") }, () => {
  test("answers, loses its gateway and gets it back, and leaves nothing when it is stopped", async () => {
    const ceph = await cephServer();
    onTestFinished(() => ceph.stop());
    const ask = (): Promise<number> => fetch(ceph.endpoint).then(({ status }) => status);
    expect(await ask()).toBe(200);
    await ceph.killGateway();
    await expect(ask()).rejects.toThrow("fetch failed");
    await ceph.startGateway();
    expect(await ask()).toBe(200);
    const pids = Object.values(ceph.server.processes);
    await ceph.stop();
    expect(pids.filter(alive)).toEqual([]);
    expect(existsSync(ceph.server.folder)).toBe(false);
  });
});

describe("swift", { timeout, ...needs("swift") }, () => {
  test("answers, and leaves nothing when it is stopped", async () => {
    const swift = await swiftServer();
    onTestFinished(() => swift.stop());
    expect((await fetch(`${swift.endpoint}/info`)).status).toBe(200);
    const pids = Object.values(swift.server.processes);
    await swift.stop();
    expect(pids.filter(alive)).toEqual([]);
  });
});

describe("redis", { timeout, ...needs("redis") }, () => {
  test("keeps what it acknowledged over a kill where it is durable", async () => {
    const redis = await redisServer({ durable: true });
    onTestFinished(() => redis.stop());
    expect(await say(redis.port, "SET a 1")).toContain("+OK");
    await redis.kill();
    await redis.start();
    expect(await say(redis.port, "GET a")).toContain("$1\r\n1");
  });

  test("has sentinels that promote the replica of a primary that died", async () => {
    const redis = await redisSentinel();
    onTestFinished(() => redis.stop());
    const primary = async (): Promise<string> => await say(redis.sentinels[0]!.port, `SENTINEL get-master-addr-by-name ${redis.name}`);
    const dead = await redis.killPrimary();
    await redis.server.until("another one is the primary", async () => !(await primary()).includes(`\r\n${dead}\r\n`));
  });

  test("has a cluster of three that share all keys", async () => {
    const redis = await redisCluster();
    onTestFinished(() => redis.stop());
    expect(await say(redis.nodes[0]!.port, "CLUSTER INFO")).toMatch(/cluster_slots_ok:16384[^]*cluster_size:3/);
  });
});

describe("postgres", { timeout, ...needs("postgres") }, () => {
  test("accepts connections", async () => {
    const postgres = await postgresServer();
    onTestFinished(() => postgres.stop());
    expect(postgres.url).toMatch(/^postgres:/);
  });
});

describe("the command", { timeout }, () => {
  const run = async (...args: string[]): Promise<{ stdout: string; code: number }> => {
    const command = [join(import.meta.dirname, "main.ts"), ...args];
    try {
      const { stdout } = await promisify(execFile)(process.execPath, command);
      return { stdout, code: 0 };
    } catch (error) {
      const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
      return { stdout: stdout + stderr, code };
    }
  };

  test("starts a server that stays, says where it is, and stops it", needs("redis"), async () => {
    onTestFinished(async () => void (await run("down", "redis")));
    const { stdout } = await run("up", "redis");
    const port = Number(/redis runs\n {2}url: redis:\/\/127\.0\.0\.1:(\d+)/.exec(stdout)?.[1]);
    expect(await say(port, "PING")).toContain("+PONG");
    expect((await run("status")).stdout).toContain(`:${port}`);
    expect((await run("down", "redis")).stdout).not.toContain("redis");
    await expect(say(port, "PING")).rejects.toThrow("ECONNREFUSED");
  });

  test("says what it can do when it is asked for something else", async () => {
    expect(await run("up", "oracle")).toMatchObject({ code: 2, stdout: expect.stringContaining(serverNames.join(", ")) as string });
    expect(await run()).toMatchObject({ code: 2, stdout: expect.stringContaining("pnpm servers up") as string });
  });
});
