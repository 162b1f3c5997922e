import { compressed } from "@stowage/compressed";
import type { ByteStorage } from "@stowage/core";
import { stack } from "@stowage/core";
import { fileStorage } from "@stowage/file";
import { retry } from "@stowage/retry";

/** What is put to the test, in words that fit through a command line. */
export interface Target {
  readonly layout: "tree" | "encoded";
  readonly durability: "process" | "power";
  /** With retry and compression on it. */
  readonly stacked?: boolean;
}

export function openTarget({ layout, durability, stacked }: Target, directory: string): ByteStorage {
  const folder = fileStorage({ directory, layout, durability });
  return stacked === true ? stack(folder, retry(), compressed()) : folder;
}

export const nameOf = ({ layout, durability, stacked }: Target): string =>
  `file, ${layout}, ${durability}${stacked === true ? ", retry, compressed" : ""}`;
