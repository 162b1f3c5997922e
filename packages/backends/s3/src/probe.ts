import type { Condition } from "@stowage/core";
import { randomUUID } from "node:crypto";
import type { Settings } from "./settings.ts";
import type { Headers } from "./transport.ts";
import { S3Failure } from "./transport.ts";

/** Which conditions a service honours. */
export type HonouredConditions = Readonly<Record<Condition, boolean>>;

/** Who write at once in a race that one may win. */
const racers = 8;

/**
 * Tries each condition with objects of its own, which it removes: one that must fail, one that must hold, and for writes a race. Some
 * services ignore a condition without a word, so that it counts only if it fails where it must.
 */
export async function probe({ transport, prefix }: Settings, signal: AbortSignal | undefined): Promise<HonouredConditions> {
  const keys: string[] = [];
  const fresh = (): string => {
    const key = `${prefix}stowage-probe-${randomUUID()}`;
    keys.push(key);
    return key;
  };
  const one = Uint8Array.of(1);
  const two = Uint8Array.of(2);
  const other = '"00000000000000000000000000000000"';
  const put = (key: string, body: Uint8Array, headers: Headers): Promise<unknown> => transport.put(key, body, headers, signal);
  const upload = async (key: string, headers: Headers): Promise<void> => {
    const id = await transport.startUpload(key, {}, signal);
    try {
      const part = await transport.uploadPart(key, id, 1, two, {}, signal);
      await transport.completeUpload(key, id, [part], headers, signal);
    } catch (error) {
      await transport.abortUpload(key, id, signal);
      throw error;
    }
  };
  const existing = async (): Promise<{ readonly key: string; readonly etag: string }> => {
    const key = fresh();
    return { key, etag: (await transport.put(key, one, {}, signal)) ?? (await transport.head(key, signal))?.etag ?? "" };
  };
  /** Whether a write with a right etag is done, in either form of etags. */
  const holds = async (etag: string, write: (ifMatch: string) => Promise<unknown>): Promise<boolean> =>
    (await isDone(write(`"${etag}"`))) || (await isDone(write(etag)));
  const oneWins = async (write: () => Promise<unknown>): Promise<boolean> => {
    const results = await Promise.all(Array.from({ length: racers }, () => isDone(write())));
    return results.filter(Boolean).length === 1;
  };

  try {
    const create = async (): Promise<boolean> => {
      const { key } = await existing();
      if (!(await isRefused(put(key, two, { "if-none-match": "*" })))) return false;
      const raced = fresh();
      return await oneWins(() => put(raced, one, { "if-none-match": "*" }));
    };
    const replace = async (): Promise<boolean> => {
      const { key, etag } = await existing();
      if (!(await isRefused(put(key, two, { "if-match": other })))) return false;
      return await holds(etag, (ifMatch) => put(key, two, { "if-match": ifMatch }));
    };
    const remove = async (): Promise<boolean> => {
      const { key, etag } = await existing();
      if (!(await isRefused(transport.delete(key, other, signal)))) return false;
      await holds(etag, (ifMatch) => transport.delete(key, ifMatch, signal));
      return (await transport.head(key, signal)) === undefined && (await isRefused(transport.delete(key, `"${etag}"`, signal)));
    };
    const stream = async (): Promise<boolean> => {
      const { key, etag } = await existing();
      if (!(await isRefused(upload(key, { "if-none-match": "*" })))) return false;
      if (!(await isRefused(upload(key, { "if-match": other })))) return false;
      return (
        (await holds(etag, (ifMatch) => upload(key, { "if-match": ifMatch }))) && (await isDone(upload(fresh(), { "if-none-match": "*" })))
      );
    };
    return { create: await create(), replace: await replace(), delete: await remove(), stream: await stream() };
  } finally {
    await Promise.allSettled(keys.map((key) => transport.delete(key, undefined)));
  }
}

/** Whether a condition that does not hold is refused as it should. A service that does not know it may accept the write, or refuse all of them. */
async function isRefused(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return false;
  } catch (error) {
    if (!(error instanceof S3Failure) || !isAnswer(error)) throw error;
    return error.status === 412 || error.status === 404;
  }
}

async function isDone(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (!(error instanceof S3Failure) || !isAnswer(error)) throw error;
    return false;
  }
}

/** Whether a service said what it thinks of a condition. Ceph answers 500 to who loses a race. */
const isAnswer = ({ status }: S3Failure): boolean => [400, 404, 405, 409, 412, 500, 501].includes(status);
