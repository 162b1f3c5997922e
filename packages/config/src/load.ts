import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock, Plugin } from "@stowage/core";
import { systemClock } from "@stowage/core";
import { describeStorages } from "./describe-storages.ts";
import type { Finding } from "./lint/lint.ts";
import { lint } from "./lint/lint.ts";
import { Maker } from "./make.ts";
import { Planner } from "./plan.ts";
import type { Place } from "./problems.ts";
import { ConfigError, Problems, wholeFile } from "./problems.ts";
import { Registry } from "./registry.ts";
import { Secrets } from "./secrets.ts";
import type { Storages } from "./storages.ts";
import { closeAll, LoadedStorages } from "./storages.ts";
import { limits } from "./yaml/limits.ts";
import { parseYaml } from "./yaml/parse.ts";
import { readTextFile } from "./yaml/read-text-file.ts";

export interface LoadOptions {
  /** Handed to every backend and layer. @default the clock of the machine */
  readonly clock?: Clock | undefined;
  /** Backends, layers and codecs beside the official ones, or in place of them. @default none */
  readonly plugins?: readonly Plugin[] | undefined;
  /** Where `fromEnv` looks. @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Told of every order of layers that is unwise but can work. @default a warning of the process */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

export interface ParseOptions extends LoadOptions {
  /** What errors call the text. @default "storage.yaml" */
  readonly file?: string | undefined;
  /** What paths in the text are relative to. @default the working directory */
  readonly directory?: string | undefined;
}

/** An order of layers that is unwise, and where it is written. */
export interface Warning extends Finding, Place {
  readonly file: string;
}

/**
 * The storages that a YAML file describes, ready to use. Does no I/O beyond the file, its secrets and the packages that it
 * names.
 *
 * ```ts
 * const storages = await loadStorages("storage.yaml");
 * const users = storages.get<User>("users");
 * ```
 *
 * @throws StorageError `config`: a `ConfigError` with everything that is wrong, each by line and path
 */
export async function loadStorages(file: string | URL, options: LoadOptions = {}): Promise<Storages> {
  const path = file instanceof URL ? fileURLToPath(file) : file;
  const read = await readTextFile(path, limits.size);
  if ("wrong" in read) throw new ConfigError(path, [{ ...wholeFile, message: `the storage file ${read.wrong}` }]);
  return await parseStorages(read.text, { ...options, file: path, directory: dirname(resolve(path)) });
}

/** The storages that a YAML text describes; as `loadStorages`, for text that is at hand. */
export async function parseStorages(text: string, options: ParseOptions = {}): Promise<Storages> {
  const { file = "storage.yaml", directory = process.cwd(), clock = systemClock, env = process.env } = options;
  const problems = new Problems();
  const registry = new Registry(options.plugins);
  const secrets = new Secrets(env);
  const root = parseYaml(text, problems);
  const described = root === undefined ? [] : await describeStorages(root, problems, registry);
  const names = described.map(({ name }) => name);
  const plans = await new Planner({ problems, registry, secrets, directory }, names).plan(described);
  problems.throwIfFound(file);

  const maker = new Maker({ problems, secrets, clock });
  maker.makeAll(plans);
  try {
    problems.throwIfFound(file);
    for (const warning of judge(maker, registry, problems, file)) (options.onWarning ?? warn)(warning);
    problems.throwIfFound(file);
  } catch (error) {
    await closeAll(maker.owned).catch(() => {}); // nothing was written to them, and the problem is the one to tell
    throw error;
  }
  return new LoadedStorages({ names, named: maker.named, owned: maker.owned, plugins: registry.known, clock });
}

/** Unwise orders of layers: errors become problems, warnings are given, and notes are left to `explain`. */
function judge({ named, places }: Maker, registry: Registry, problems: Problems, file: string): Warning[] {
  const warnings: Warning[] = [];
  const seen = new Set<string>();
  for (const [name, storage] of named) {
    for (const finding of lint(storage, { plugins: registry.known })) {
      const place = finding.storages.map((found) => places.get(found)).find((found) => found !== undefined) ?? { ...wholeFile, path: name };
      const once = `${finding.code} ${place.line}:${place.column}`;
      if (seen.has(once)) continue;
      seen.add(once);
      if (finding.severity === "error") problems.add(place, sentenceOf(finding));
      if (finding.severity === "warning") warnings.push({ ...finding, ...place, file });
    }
  }
  return warnings;
}

/** What is wrong, and the better order where there is one. */
function sentenceOf({ message, order, severity }: Finding): string {
  return severity === "error" ? message : `${message} A better order, from the backend up: ${order.join(", ")}.`;
}

function warn(warning: Warning): void {
  const { file, line, column, path, code } = warning;
  process.emitWarning(`${file}:${line}:${column} ${path}: ${sentenceOf(warning)}`, { type: "StorageWarning", code });
}
