import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

export type Kind = "core" | "testing" | "config" | "backend" | "layer";

/** `exports`, or a part of them. */
export type Exports = string | { readonly [condition: string]: Exports };

export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly type?: string;
  readonly files?: readonly string[];
  readonly sideEffects?: boolean;
  readonly exports?: Readonly<Record<string, Exports>>;
  readonly publishConfig?: { readonly access?: string; readonly exports?: Readonly<Record<string, Exports>> };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly engines?: Readonly<Record<string, string>>;
}

/** A published package, as the rules see it. */
export interface Package {
  /** The word it goes by: folder, factory and YAML name. */
  readonly word: string;
  readonly kind: Kind;
  /** From the root of the workspace. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** Every file outside `dist` and `node_modules`, from the folder. */
  readonly files: readonly string[];
  /** The text of a file, or nothing where there is none. */
  readonly read: (file: string) => string;
}

/** Every package of the workspace at `root` that is published. */
export function readPackages(root: string): Package[] {
  return folders(root).map(({ folder, kind }) => {
    const path = join(root, folder);
    return {
      word: basename(folder),
      kind,
      folder,
      manifest: JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest,
      files: filesIn(path),
      read: (file) => (existsSync(join(path, file)) ? readFileSync(join(path, file), "utf8") : ""),
    };
  });
}

function folders(root: string): { folder: string; kind: Kind }[] {
  const within = (parent: string, kind: Kind): { folder: string; kind: Kind }[] =>
    readdirSync(join(root, parent))
      .toSorted()
      .map((name) => ({ folder: `${parent}/${name}`, kind }));
  return [
    { folder: "packages/core", kind: "core" },
    { folder: "packages/testing", kind: "testing" },
    { folder: "packages/config", kind: "config" },
    ...within("packages/backends", "backend"),
    ...within("packages/layers", "layer"),
  ];
}

function filesIn(folder: string, prefix = ""): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "dist" || entry.name === "node_modules" ? [] : filesIn(folder, path);
    return [path];
  });
}
