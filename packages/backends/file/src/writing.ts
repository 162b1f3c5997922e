import { StorageError } from "@stowage/core";
import { storageName } from "./errors.ts";
import type { Answer, FileCalls } from "./file-system.ts";

/** Bytes of a whole value that are written at once. */
const longestWrite = 16 * 1024 * 1024;

/** Writes a value, in one direct call where that takes all of it. */
export function writeValue(calls: FileCalls, fd: number, value: Uint8Array): Answer<number> {
  if (value.byteLength === 0) return 0;
  const count = calls.write(fd, value, 0, Math.min(value.byteLength, longestWrite));
  return count === value.byteLength ? count : writeRest(calls, fd, value, count);
}

async function writeRest(calls: FileCalls, fd: number, value: Uint8Array, first: Answer<number>): Promise<number> {
  let offset = written(await first);
  while (offset < value.byteLength) {
    offset += written(await calls.write(fd, value, offset, Math.min(value.byteLength - offset, longestWrite)));
  }
  return offset;
}

/** Writes the pieces until every byte is out, however few of them each call takes. */
export async function writeAll(calls: FileCalls, fd: number, pieces: readonly Uint8Array[]): Promise<void> {
  let left = pieces;
  while (left.length > 0) {
    let count = written(left.length === 1 ? await calls.write(fd, left[0]!, 0, left[0]!.byteLength) : await calls.writev(fd, left));
    let done = 0;
    while (done < left.length && count >= left[done]!.byteLength) count -= left[done++]!.byteLength;
    left = left.slice(done);
    if (count > 0) left = [left[0]!.subarray(count), ...left.slice(1)];
  }
}

/** A call that wrote nothing would be repeated for ever. */
function written(count: number): number {
  if (count > 0) return count;
  throw incomplete();
}

export const incomplete = (): StorageError =>
  new StorageError("unavailable", "The file system did not take all bytes of the value.", { storage: storageName });
