import type { ChunkIterator } from "../contract/sources.ts";
import { cancelSource, checkSource, openSource, stopSource } from "../contract/sources.ts";
import type { Bytes, ByteSource } from "../contract/contract.ts";
import { StorageError } from "../contract/storage-error.ts";

/**
 * One source as several streams, paced by the slowest: a chunk is asked for when every stream wants one, so no more than
 * one is ever held. A stream that is cancelled paces no longer; when all are, the source is. A failure of the source
 * reaches every stream. The chunks are shared, so nobody may change them.
 */
export function fanOut(source: ByteSource, count: number): ReadableStream<Bytes>[] {
  checkSource(source, "fanOut");
  if (!Number.isInteger(count) || count < 1)
    throw new StorageError("invalid-option", "fanOut makes a whole number of streams, at least 1.");
  const fan = new Fan(source);
  return Array.from({ length: count }, () => fan.branch());
}

interface Branch {
  readonly controller: ReadableStreamDefaultController<Bytes>;
  wants: boolean;
}

class Fan {
  readonly #source: ByteSource;
  readonly #branches = new Set<Branch>();
  #chunks: ChunkIterator | undefined;
  #reading = false;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  branch(): ReadableStream<Bytes> {
    let branch: Branch;
    return new ReadableStream<Bytes>(
      {
        start: (controller) => {
          branch = { controller, wants: false };
          this.#branches.add(branch);
        },
        pull: () => {
          branch.wants = true;
          this.#advance();
        },
        cancel: (reason) => {
          this.#branches.delete(branch);
          if (this.#branches.size === 0) this.#stop(reason);
          else this.#advance();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Asks for a chunk when every stream wants one. */
  #advance(): void {
    if (this.#reading) return;
    for (const branch of this.#branches) if (!branch.wants) return;
    this.#reading = true;
    this.#read().then(
      (chunk) => {
        this.#reading = false;
        if (chunk === undefined) this.#end((controller) => controller.close());
        else this.#give(chunk);
      },
      (error: unknown) => this.#end((controller) => controller.error(error)),
    );
  }

  async #read(): Promise<Bytes | undefined> {
    this.#chunks ??= openSource(this.#source);
    const step = await this.#chunks.next();
    return step.done === true ? undefined : step.value;
  }

  #give(chunk: Bytes): void {
    for (const branch of this.#branches) branch.wants = false;
    for (const { controller } of this.#branches) controller.enqueue(chunk);
  }

  #end(tell: (controller: Branch["controller"]) => void): void {
    for (const { controller } of this.#branches) tell(controller);
    this.#branches.clear();
  }

  #stop(reason: unknown): void {
    if (this.#chunks === undefined) cancelSource(this.#source, reason);
    else stopSource(this.#chunks, reason);
  }
}
