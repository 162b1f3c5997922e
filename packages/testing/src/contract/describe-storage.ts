import { describe, test } from "vitest";
import { contract } from "./contract.ts";
import type { ContractPromise, Section } from "./promise.ts";
import { sections } from "./promise.ts";
import { checkPromise } from "./run.ts";
import type { StorageSubject } from "./subject.ts";

/**
 * Registers the whole contract with Vitest, one test for each promise, each on a fresh storage.
 *
 * ```ts
 * describeStorage("fileStorage", {
 *   create: async ({ clock }) => {
 *     const directory = await freshDirectory();
 *     const open = () => fileStorage({ directory, clock });
 *     return { storage: open(), reopen: open, cleanup: () => rm(directory, { recursive: true }) };
 *   },
 * });
 * ```
 */
export function describeStorage(name: string, subject: StorageSubject): void {
  describe(name, () => {
    for (const [number, title] of Object.entries(sections)) {
      describe(`${number}. ${title}`, () => {
        const promises = contract.filter((promise) => promise.section === (Number(number) as Section));
        for (const promise of promises) test(titleOf(promise), async () => void (await checkPromise(promise, subject)));
      });
    }
  });
}

/** The name, with the abilities that are checked to be refused where they are absent. */
function titleOf({ name, needs }: ContractPromise): string {
  return needs.length === 0 ? name : `${name} [${needs.join(", ")}; else refused]`;
}
