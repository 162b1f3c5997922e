import { createHash } from "node:crypto";
import type { EntryInfo } from "@stowage/core";
import { forEachConcurrently, untilAborted } from "@stowage/core";
import type { Part } from "./parts.ts";
import type { Settings } from "./settings.ts";
import type { Headers, Upload, UploadedPart, UploadPage } from "./transport.ts";
import { S3Failure } from "./transport.ts";

/** How often a part is sent: its source cannot be read again, so no layer above could try it. */
const maxSends = 3;
/** Milliseconds before a part is sent again, times the tries before. */
const pause = 200;
/** Milliseconds that the service may ask to wait for before that. */
const longestPause = 30_000;
/** Milliseconds that a close waits for uploads that are being aborted. */
const closeTimeout = 10_000;

/** The multipart uploads of a storage. */
export class Uploads {
  readonly #settings: Settings;
  readonly #open = new Set<string>();
  readonly #aborting = new Set<Promise<void>>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Uploads that are under way. */
  get open(): number {
    return this.#open.size;
  }

  /** Returns when everything that is being aborted is, or has failed to be, or takes too long. */
  async idle(): Promise<void> {
    if (this.#aborting.size === 0) return;
    const stop = new AbortController();
    const late = this.#settings.clock.sleep(closeTimeout, stop.signal).catch(() => {});
    await Promise.race([Promise.all(this.#aborting), late]);
    stop.abort();
  }

  /**
   * Uploads parts, several at once, and completes. However it fails, the upload is aborted, after the call: `idle` waits for that.
   *
   * @param complete gets the id of the upload, its parts in order, and how many bytes they have
   */
  async run(
    key: string,
    parts: AsyncIterator<Part, void, void>,
    first: Part,
    headers: Headers,
    stop: AbortController,
    signal: AbortSignal,
    complete: (id: string, parts: readonly UploadedPart[], size: number) => Promise<EntryInfo>,
  ): Promise<EntryInfo> {
    const { prefix, partsInFlight } = this.#settings;
    const id = await this.#start(prefix + key, headers, signal);
    this.#open.add(id);
    try {
      const uploaded: UploadedPart[] = [];
      let size = 0;
      await forEachConcurrently(startingWith(first, parts), partsInFlight, async (part) => {
        size += part.bytes.byteLength;
        try {
          uploaded.push(await this.#send(key, id, part, signal));
        } catch (error) {
          stop.abort(error); // a source that hangs must not hold up the failure
          throw error;
        } finally {
          part.release();
        }
      });
      return await complete(
        id,
        uploaded.sort((a, b) => a.number - b.number),
        size,
      );
    } catch (error) {
      this.#finish(this.#settings.transport.abortUpload(prefix + key, id));
      throw error;
    } finally {
      this.#open.delete(id);
    }
  }

  /** Aborts what was begun long ago under the prefix and never ended, by this process or another. Gives how many. */
  async sweep(olderThan: number, signal: AbortSignal | undefined): Promise<number> {
    const { transport, prefix, clock } = this.#settings;
    const before = clock.now() - olderThan;
    let swept = 0;
    let next: UploadPage["next"];
    do {
      const page = await transport.uploads(prefix, next, signal);
      const isStale = ({ id, startedAt, key }: Upload): boolean => startedAt <= before && !this.#open.has(id) && key.startsWith(prefix);
      await forEachConcurrently(page.uploads.filter(isStale), 8, async ({ key, id }) => {
        await transport.abortUpload(key, id, signal);
        swept++;
      });
      next = page.next;
    } while (next !== undefined);
    return swept;
  }

  /** Begins an upload, and hides the signal from the service: an upload can only be aborted when its id is known. */
  async #start(key: string, headers: Headers, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const { transport } = this.#settings;
    const starting = transport.startUpload(key, headers);
    try {
      return await untilAborted(starting, signal);
    } catch (error) {
      this.#finish(starting.then((id) => transport.abortUpload(key, id)));
      throw error;
    }
  }

  async #send(key: string, id: string, { number, bytes }: Part, signal: AbortSignal): Promise<UploadedPart> {
    const { transport, prefix, clock, checksum } = this.#settings;
    const headers: Headers = checksum ? { "content-md5": createHash("md5").update(bytes).digest("base64") } : {};
    for (let sends = 1; ; sends++) {
      try {
        return await transport.uploadPart(prefix + key, id, number, bytes, headers, signal);
      } catch (error) {
        if (sends === maxSends || !(error instanceof S3Failure) || !isPassing(error)) throw error;
        const delay = error.retryAfter ?? pause * sends;
        if (delay > longestPause) throw error;
        await clock.sleep(delay, signal);
      }
    }
  }

  /** Lets an upload be aborted while its call has ended. */
  #finish(aborted: Promise<void>): void {
    const aborting = aborted
      .catch(() => {}) // left to gc()
      .finally(() => this.#aborting.delete(aborting));
    this.#aborting.add(aborting);
  }
}

const isPassing = ({ status }: S3Failure): boolean => status === 0 || status === 408 || status === 429 || (status >= 500 && status !== 501);

async function* startingWith(first: Part, rest: AsyncIterator<Part, void, void>): AsyncGenerator<Part, void, void> {
  yield first;
  for (;;) {
    const step = await rest.next();
    if (step.done === true) return;
    yield step.value;
  }
}
