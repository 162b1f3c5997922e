import { execFile } from "node:child_process";

interface RunOptions {
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a program prints. Where it fails, the error holds all of that. */
export function run(program: string, parameters: readonly string[], { folder, environment }: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const settings = { cwd: folder, env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 };
    execFile(program, parameters, settings, (error, output, errors) => {
      if (error === null) resolve(output);
      else reject(new Error(`${program} ${parameters.join(" ")} failed in ${folder}:\n${output}${errors}`, { cause: error }));
    });
  });
}

/** pnpm as the README has it, whether or not one is installed. */
export function pnpm(parameters: readonly string[], options: RunOptions): Promise<string> {
  return run("npx", ["-y", "pnpm@12.21.0", ...parameters], options);
}
