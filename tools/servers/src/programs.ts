import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** What each server needs: the programs, and the Debian packages that bring them. */
const needs = {
  ceph: {
    programs: ["ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"],
    packages: ["ceph-mon", "ceph-osd", "radosgw"],
  },
  swift: {
    programs: ["swift-ring-builder", "swift-account-server", "swift-container-server", "swift-object-server", "swift-proxy-server"],
    packages: ["swift-account", "swift-container", "swift-object", "swift-proxy"],
  },
  redis: { programs: ["redis-server", "redis-cli"], packages: ["redis-server"] },
  postgres: { programs: ["initdb", "postgres"], packages: ["postgresql"] },
} as const;

export type ServerName = keyof typeof needs;

export const serverNames: readonly ServerName[] = ["ceph", "swift", "redis", "postgres"];

/** The programs of a server that this machine lacks. */
export function missingFor(name: ServerName): readonly string[] {
  return needs[name].programs.filter((program) => pathOf(program) === undefined);
}

/** Why the tests of a server cannot run here, with the command that helps; `undefined` where they can. */
export function skipReason(name: ServerName): string | undefined {
  const missing = missingFor(name);
  if (missing.length === 0) return undefined;
  return `${name} needs ${missing.join(", ")}: apt-get install --no-install-recommends ${needs[name].packages.join(" ")}`;
}

/** The full path of a program: on the path, or where Debian puts the server of a database. */
export function pathOf(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin", "/usr/lib/postgresql/15/bin"];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
