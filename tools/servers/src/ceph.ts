import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import type { ServerOptions } from "./running-server.ts";
import { answers, RunningServer } from "./running-server.ts";
import type { S3Address } from "./s3-address.ts";

export interface CephOptions extends ServerOptions {
  /** Whether what was stored survives the end of the processes; starting takes some seconds then. @default false */
  readonly durable?: boolean | undefined;
}

/** A Ceph RADOS Gateway with a monitor and one disk. */
export interface CephServer extends S3Address {
  readonly server: RunningServer;
  /** Holds the disk still: requests hang until it goes on. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends the gateway at once, with all requests that are under way. */
  killGateway(): Promise<void>;
  startGateway(): Promise<void>;
  stop(): Promise<void>;
}

const accessKeyId = "TESTKEY";
const secretAccessKey = "TESTSECRET";

export async function cephServer({ durable = false, ...options }: CephOptions = {}): Promise<CephServer> {
  const server = await RunningServer.make("ceph", options);
  const [monitorPort, gatewayPort] = (await freePorts(2)) as [number, number];
  const endpoint = `http://127.0.0.1:${gatewayPort}`;
  const { folder } = server;
  const cluster = randomUUID();
  const disk = randomUUID();
  const env = { CEPH_CONF: join(folder, "ceph.conf") };
  for (const name of ["mon", "osd0", "run", "rgw"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(env.CEPH_CONF, configuration({ folder, cluster, monitorPort, gatewayPort, durable }));

  const startGateway = async (): Promise<void> => {
    server.spawn("gateway", "radosgw", ["-n", "client.rgw", "-f"], env);
    await server.until("the gateway answers", () => answers(endpoint));
  };
  try {
    server.run("monmaptool", ["--create", "--clobber", "--addv", "a", `[v1:127.0.0.1:${monitorPort}/0]`, "--fsid", cluster, "monmap"], {
      env,
    });
    server.run("ceph-mon", ["--mkfs", "-i", "a", "--monmap", "monmap", "--fsid", cluster], { env });
    server.spawn("monitor", "ceph-mon", ["-i", "a", "-f"], env);
    const commands = [
      `osd new ${disk}`,
      "osd crush add-bucket h0 host",
      "osd crush move h0 root=default",
      "osd crush add osd.0 1.0 host=h0",
    ];
    server.run("ceph", [], { env, input: `${commands.join("\n")}\n` });
    server.run("ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", disk], { env });
    server.spawn("disk", "ceph-osd", ["-i", "0", "-f"], env);
    await startGateway();
    // Each test has a bucket of its own, and there are more of them than the thousand that a user may have.
    const user = [
      "user",
      "create",
      "--uid=test",
      "--display-name=test",
      "--max-buckets=100000",
      `--access-key=${accessKeyId}`,
      `--secret=${secretAccessKey}`,
    ];
    server.run("radosgw-admin", ["-n", "client.rgw", ...user], { env });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    server,
    endpoint,
    region: "us-east-1",
    accessKeyId,
    secretAccessKey,
    pause: () => server.pause("disk"),
    resume: () => server.resume("disk"),
    killGateway: () => server.kill("gateway"),
    startGateway,
    stop: () => server.stop(),
  };
}

interface Cluster {
  readonly folder: string;
  readonly cluster: string;
  readonly monitorPort: number;
  readonly gatewayPort: number;
  readonly durable: boolean;
}

/** One of each, as small and as quick to start as they can be. `tcp_nodelay` takes 40 ms off every request. */
function configuration({ folder, cluster, monitorPort, gatewayPort, durable }: Cluster): string {
  const store = durable
    ? ["osd objectstore = bluestore", "bluestore block create = true", "bluestore block size = 4294967296"]
    : ["osd objectstore = memstore", "memstore device bytes = 8589934592"];
  return `[global]
fsid = ${cluster}
mon host = [v1:127.0.0.1:${monitorPort}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
pid file = ${folder}/run/$name.pid
log file = ${folder}/log/$name.log
crash dir = ${folder}/log
keyring = ${folder}/keyring
mon data = ${folder}/mon
mon cluster log file = ${folder}/log/cluster.log
osd data = ${folder}/osd0
${store.join("\n")}
osd class update on start = false
osd crush update on start = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
mon data avail warn = 1
mon data avail crit = 1
rgw enable apis = s3
rgw thread pool size = 64
rgw dynamic resharding = false
rgw run sync thread = false
rgw override bucket index max shards = 1
rgw gc max objs = 2
rgw lc max objs = 2
rgw dns name = localhost
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw data = ${folder}/rgw
`;
}
