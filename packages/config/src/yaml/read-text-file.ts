import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";

/** The text of a file, or the end of a sentence that starts with its name: "could not be found." */
export type ReadText = { readonly text: string } | { readonly wrong: string };

/** Reads a regular file of UTF-8 text up to a size. Never waits for a pipe or a device. */
export async function readTextFile(path: string, maxSize: number): Promise<ReadText> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { wrong: reasons[codeOf(error)] ?? `could not be opened (${codeOf(error)}).` };
  }
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) return { wrong: "is a folder, not a file." };
    if (!stats.isFile()) return { wrong: "is not a regular file." };
    const tooLarge = { wrong: `is too large: it may have ${maxSize / 1024} KiB at the most.` };
    if (stats.size > maxSize) return tooLarge;
    const buffer = new Uint8Array(maxSize + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
      if (length > maxSize) return tooLarge;
    }
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length)) };
  } catch (error) {
    if (error instanceof TypeError) return { wrong: "is not UTF-8 text." };
    return { wrong: reasons[codeOf(error)] ?? `could not be read (${codeOf(error)}).` };
  } finally {
    await file.close();
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "could not be found.",
  ENOTDIR: "could not be found.",
  EISDIR: "is a folder, not a file.",
  EACCES: "may not be read; check its permissions.",
  EPERM: "may not be read; check its permissions.",
  ELOOP: "is a link that leads in a circle.",
  ENXIO: "is not a regular file.",
  ENAMETOOLONG: "has too long a name.",
};

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}
