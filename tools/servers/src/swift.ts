import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "./ports.ts";
import type { ServerOptions } from "./running-server.ts";
import { answers, RunningServer } from "./running-server.ts";
import type { S3Address } from "./s3-address.ts";

const services = ["account", "container", "object"] as const;

/** OpenStack Swift with its S3 interface, which knows no conditional writes. */
export async function swiftServer(options?: ServerOptions): Promise<S3Address & { readonly server: RunningServer; stop(): Promise<void> }> {
  const server = await RunningServer.make("swift", options);
  const [proxyPort, ...ports] = (await freePorts(4)) as [number, number, number, number];
  const settings = join(server.folder, "conf");
  for (const name of ["conf", "srv/d1", "cache"]) mkdirSync(join(server.folder, name), { recursive: true });
  const write = (name: string, text: string): void => writeFileSync(join(settings, name), text);
  try {
    write(
      "swift.conf",
      "[swift-hash]\nswift_hash_path_suffix = t\nswift_hash_path_prefix = t\n[storage-policy:0]\nname = p0\ndefault = yes\n",
    );
    for (const [index, service] of services.entries()) {
      const port = ports[index]!;
      const ring = join(settings, `${service}.builder`);
      server.run("swift-ring-builder", [ring, "create", "6", "1", "0"]);
      server.run("swift-ring-builder", [ring, "add", `r1z1-127.0.0.1:${port}/d1`, "1"]);
      server.run("swift-ring-builder", [ring, "rebalance"]);
      write(`${service}-server.conf`, serviceSettings(server.folder, service, port));
      server.spawn(service, `swift-${service}-server`, [join(settings, `${service}-server.conf`), "-v"]);
    }
    write("proxy-server.conf", proxySettings(settings, proxyPort));
    server.spawn("proxy", "swift-proxy-server", [join(settings, "proxy-server.conf"), "-v"]);
    await server.until("the proxy answers", () => answers(`http://127.0.0.1:${proxyPort}/info`));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    server,
    endpoint: `http://127.0.0.1:${proxyPort}`,
    region: "us-east-1",
    accessKeyId: "test:tester",
    secretAccessKey: "testing",
    stop: () => server.stop(),
  };
}

const serviceSettings = (folder: string, service: string, port: number): string => `[DEFAULT]
swift_dir = ${folder}/conf
devices = ${folder}/srv
mount_check = false
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 1
user = root
log_level = WARNING
log_address = /nonexistent
recon_cache_path = ${folder}/cache
disable_fallocate = true
[pipeline:main]
pipeline = ${service}-server
[app:${service}-server]
use = egg:swift#${service}
`;

const proxySettings = (settings: string, port: number): string => `[DEFAULT]
swift_dir = ${settings}
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 1
user = root
log_level = WARNING
log_address = /nonexistent
expose_info = true
[pipeline:main]
pipeline = catch_errors gatekeeper proxy-logging cache listing_formats s3api tempauth copy slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:symlink]
use = egg:swift#symlink
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
`;
