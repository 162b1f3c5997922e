import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";

const mebibyte = 2 ** 20;
/** What S3 allows. */
export const limits: { readonly parts: number; readonly partSize: number; readonly putSize: number } = {
  parts: 10_000,
  partSize: 5 * 1024 * mebibyte,
  putSize: 5 * 1024 * mebibyte,
};

/** Parts of one size before they grow. */
const step = 900;

/**
 * Bytes of a part, so that 10,000 of them hold the value. Where the size of the value is known, all are of one size, as some services
 * want it. Where it is not, parts double after each 900, so that even 5 MiB at first reach 5 TiB.
 *
 * @throws StorageError `too-large`
 */
export function partSizeOf(number: number, first: number, size: number | undefined): number {
  const wanted = size === undefined ? first * 2 ** Math.floor((number - 1) / step) : Math.max(first, roundUp(size / limits.parts));
  if (number <= limits.parts && (size === undefined || wanted <= limits.partSize)) return Math.min(wanted, limits.partSize);
  throw new StorageError("too-large", "The value is larger than 10,000 parts of an upload can hold.", {
    operation: "write",
    storage: storageName,
  });
}

const roundUp = (bytes: number): number => Math.ceil(bytes / mebibyte) * mebibyte;
