import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Package } from "../package.ts";
import { pnpm } from "../run.ts";

/** A packed package. */
export interface Tarball {
  readonly subject: Package;
  readonly path: string;
}

/** Builds every package from nothing and packs it, as it would be published. */
export async function makeTarballs(root: string, packages: readonly Package[], into: string): Promise<Tarball[]> {
  await Promise.all(packages.map(({ folder }) => rm(join(root, folder, "dist"), { recursive: true, force: true })));
  const environment = { TURBO_TELEMETRY_DISABLED: "1" };
  await pnpm(["run", "build"], { folder: root, environment });
  const filters = packages.flatMap(({ word }) => ["--filter", `@stowage/${word}`]);
  await pnpm(["-r", ...filters, "pack", "--pack-destination", into], { folder: root });
  return packages.map((subject) => ({ subject, path: join(into, `stowage-${subject.word}-${subject.manifest.version}.tgz`) }));
}

/** The tarballs that a package needs beside its own: what it depends on of ours, and a backend to stand on. */
export function neededBy({ subject }: Tarball, all: readonly Tarball[]): Tarball[] {
  const names = new Set([...Object.keys(subject.manifest.dependencies ?? {}), ...standsOn[subject.kind].map((word) => `@stowage/${word}`)]);
  const needed = all.filter((other) => other.subject !== subject && names.has(`@stowage/${other.subject.word}`));
  return [
    ...new Set(
      needed.flatMap((other) => [
        other,
        ...all.filter(({ subject: { word } }) => `@stowage/${word}` in (other.subject.manifest.dependencies ?? {})),
      ]),
    ),
  ];
}

const standsOn = { core: [], testing: [], config: ["memory"], backend: [], layer: ["memory"] };
