import { createHash } from "node:crypto";
import type { EntryInfo } from "@stowage/core";
import { forEachConcurrently } from "@stowage/core";
import type { Part } from "./parts.ts";
import type { Settings } from "./settings.ts";
import type { Headers, Upload, UploadedPart, UploadPage } from "./transport.ts";
import { S3Failure } from "./transport.ts";

/** How often a part is sent: its source cannot be read again, so no layer above could try it. */
const maxSends = 3;
/** Milliseconds before a part is sent again, times the tries before. */
const pause = 200;

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

  /** Returns when everything that is being aborted is, or has failed to be. */
  async idle(): Promise<void> {
    await Promise.all(this.#aborting);
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
    const { transport, prefix, partsInFlight } = this.#settings;
    const id = await transport.startUpload(prefix + key, headers, signal);
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
      this.#abort(prefix + key, id);
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

  async #send(key: string, id: string, { number, bytes }: Part, signal: AbortSignal): Promise<UploadedPart> {
    const { transport, prefix, clock, checksum } = this.#settings;
    const headers: Headers = checksum ? { "content-md5": createHash("md5").update(bytes).digest("base64") } : {};
    for (let sends = 1; ; sends++) {
      try {
        return await transport.uploadPart(prefix + key, id, number, bytes, headers, signal);
      } catch (error) {
        if (sends === maxSends || !(error instanceof S3Failure) || !isPassing(error)) throw error;
        await clock.sleep(error.retryAfter ?? pause * sends, signal);
      }
    }
  }

  #abort(key: string, id: string): void {
    const aborting = this.#settings.transport
      .abortUpload(key, id)
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
