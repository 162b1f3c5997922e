import { metrics as openTelemetry } from "@opentelemetry/api";
import type {
  AnyStorage,
  BatchOptions,
  ByteSource,
  Bytes,
  CallOptions,
  ClearOptions,
  Clock,
  DeleteOptions,
  Details,
  Entry,
  EntryInfo,
  ListOptions,
  Operation,
  OperationName,
  Page,
  PutOptions,
  ReadOptions,
  Storage,
  WriteOptions,
} from "@stowage/core";
import { ForwardingStorage, rejecting, systemClock } from "@stowage/core";
import type { Calls } from "./calls.ts";
import { errorTypeOf, isAbort } from "./calls.ts";
import { guarded } from "./guarded.ts";
import { Place } from "./place.ts";
import { Spans } from "./spans.ts";
import { StreamedCall } from "./streamed-call.ts";
import { Telemetry } from "./telemetry.ts";

/** After how many calls to look for a provider again: it may be set after the storage was made. A power of two. */
const lookEvery = 256;

/** Milliseconds after which the next call looks for one, however few there were. */
const lookAfter = 1_000;

/** What a look at an answer says where nothing was found, in place of its bytes. */
const nothing = -1;

/** Options with their defaults. */
export interface Settings {
  readonly name: string;
  readonly spans: boolean;
}

/** What `metrics()` makes; `metricsOf()` reads it. */
export class MetricsStorage<V> extends ForwardingStorage<V> {
  readonly name = "metrics";
  readonly #settings: Settings;
  readonly #place: Place;
  readonly #spans: Spans | undefined;
  #telemetry: Telemetry | undefined;
  #calls = 0;
  /** When to look for a provider again. */
  #lookAt = 0;
  #isClosed = false;

  constructor(inner: Storage<V>, settings: Settings, clock?: Clock) {
    super(inner, clock);
    this.#settings = settings;
    this.#place = new Place(inner, settings.name, clock ?? systemClock, placeOf);
    this.#spans = settings.spans ? new Spans(this.#place.name, inner.inner.length === 0) : undefined;
    this.#lookForProvider();
  }

  /** @internal */
  get place(): Place {
    return this.#place;
  }

  override get(key: string, options?: CallOptions): Promise<V | undefined> {
    return this.#measure(this.#place.calls.get, options, bytesOfValue, () => super.get(key, options));
  }

  override getEntry(key: string, options?: CallOptions): Promise<Entry<V> | undefined> {
    return this.#measure(this.#place.calls.getEntry, options, bytesOfEntry, () => super.getEntry(key, options));
  }

  override getEntries(keys: readonly string[], options?: CallOptions): Promise<(Entry<V> | undefined)[]> {
    return this.#measure(this.#place.calls.getEntries, options, bytesOfEntries, () => super.getEntries(keys, options));
  }

  override head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
    return this.#measure(this.#place.calls.head, options, bytesOfInfo, () => super.head(key, options));
  }

  override has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#measure(this.#place.calls.has, options, bytesOfYes, () => super.has(key, options));
  }

  override list(options?: ListOptions): Promise<Page> {
    return this.#measure(this.#place.calls.list, options, noBytes, () => super.list(options));
  }

  override put(key: string, value: V, options?: PutOptions): Promise<EntryInfo> {
    const calls = this.#place.calls.put;
    calls.bytesIn += sizeOf(value);
    return this.#measure(calls, options, noBytes, () => super.put(key, value, options));
  }

  override delete(key: string, options?: DeleteOptions): Promise<void> {
    return this.#measure(this.#place.calls.delete, options, noBytes, () => super.delete(key, options));
  }

  override batch(operations: readonly Operation<V>[], options?: BatchOptions): Promise<void> {
    const calls = this.#place.calls.batch;
    calls.bytesIn += sizeOfAll(operations);
    return this.#measure(calls, options, noBytes, () => super.batch(operations, options));
  }

  override clear(options?: ClearOptions): Promise<void> {
    return this.#measure(this.#place.calls.clear, options, noBytes, () => super.clear(options));
  }

  override flush(options?: CallOptions): Promise<void> {
    return this.#measure(this.#place.calls.flush, options, noBytes, () => super.flush(options));
  }

  override read(key: string, options?: ReadOptions): Promise<Entry<ReadableStream<Bytes>> | undefined> {
    const call = this.#stream("read", options);
    return call
      .run(() => super.read(key, options))
      .then(
        (entry) => {
          if (entry !== undefined) return { ...entry, value: call.watchStream(entry.value) };
          call.end("missing");
          return undefined;
        },
        (failure: unknown) => {
          call.fail(failure);
          throw failure;
        },
      );
  }

  override write(key: string, source: ByteSource, options?: WriteOptions): Promise<EntryInfo> {
    const call = this.#stream("write", options);
    return call
      .run(() => super.write(key, call.watchSource(source), options))
      .then(
        (info) => {
          call.end("ok");
          return info;
        },
        (failure: unknown) => {
          call.fail(failure);
          throw failure;
        },
      );
  }

  override async close(): Promise<void> {
    try {
      await this.below.close();
    } finally {
      this.#lookForProvider();
      this.#isClosed = true;
      this.#place.presence.stepOff(this.#place.now());
      const telemetry = this.#telemetry;
      this.#telemetry = undefined;
      guarded(() => telemetry?.remove(this.#place));
    }
  }

  override details(): Details {
    let [calls, errors, bytesIn, bytesOut] = [0, 0, 0, 0];
    for (const operation of Object.values(this.#place.calls)) {
      bytesIn += operation.bytesIn;
      bytesOut += operation.bytesOut;
      for (const { outcome, durations } of operation.endings) {
        calls += durations.count;
        if (outcome === "error") errors += durations.count;
      }
    }
    return { options: { ...this.#settings }, stats: { calls, errors, bytesIn, bytesOut } };
  }

  /** Sends a call and measures it; `look` says how many bytes an answer has, or that there is `nothing`. */
  #measure<T>(calls: Calls, options: CallOptions | undefined, look: (answer: T) => number, send: () => Promise<T>): Promise<T> {
    const span = this.#spans?.start(calls.operation);
    const { presence, now } = this.#place;
    const start = this.#begin();
    presence.enter(start);
    const answer = span === undefined ? rejecting(send) : span.run(send);
    return answer.then(
      (value) => {
        const end = now();
        presence.leave(end);
        const bytes = look(value);
        if (bytes === nothing) calls.durationsOf("missing").record(end - start);
        else {
          calls.ok.record(end - start);
          calls.bytesOut += bytes;
        }
        span?.end(bytes === nothing ? "missing" : "ok");
        return value;
      },
      (failure: unknown) => {
        const end = now();
        presence.leave(end);
        const signal = options?.signal;
        calls.durationsOfFailure(failure, signal).record(end - start);
        if (isAbort(failure, signal)) span?.end("aborted");
        else span?.end("error", errorTypeOf(failure));
        throw failure;
      },
    );
  }

  #stream(operation: OperationName, options: CallOptions | undefined): StreamedCall {
    this.#begin();
    return new StreamedCall(this.#place, this.#place.calls[operation], options?.signal, this.#spans?.start(operation));
  }

  /** When a call begins, which now and then comes after a look for a provider. */
  #begin(): number {
    const now = this.#place.now();
    if ((++this.#calls & (lookEvery - 1)) !== 1 && now < this.#lookAt) return now;
    this.#lookForProvider();
    return this.#place.now();
  }

  #lookForProvider(): void {
    this.#lookAt = this.#place.now() + lookAfter;
    guarded(() => {
      const telemetry = Telemetry.of(openTelemetry.getMeterProvider());
      if (telemetry === this.#telemetry || this.#isClosed) return;
      this.#telemetry?.remove(this.#place);
      this.#telemetry = telemetry;
      telemetry?.add(this.#place);
    });
  }
}

/** Where a metrics layer measures. */
export function placeOf(part: AnyStorage): Place | undefined {
  return part instanceof MetricsStorage ? part.place : undefined;
}

function sizeOf(value: unknown): number {
  return value instanceof Uint8Array ? value.byteLength : 0;
}

/** Takes anything: what is no batch is for the storage below to refuse. */
function sizeOfAll(operations: readonly Operation<unknown>[]): number {
  let size = 0;
  if (!Array.isArray(operations)) return size;
  for (const operation of operations as readonly (Operation<unknown> | undefined)[]) {
    if (operation?.type === "put") size += sizeOf(operation.value);
  }
  return size;
}

const noBytes = (): number => 0;
const bytesOfValue = (value: unknown): number => (value === undefined ? nothing : sizeOf(value));
const bytesOfEntry = (entry: Entry<unknown> | undefined): number => (entry === undefined ? nothing : sizeOf(entry.value));
const bytesOfInfo = (info: EntryInfo | undefined): number => (info === undefined ? nothing : 0);
const bytesOfYes = (yes: boolean): number => (yes ? 0 : nothing);

function bytesOfEntries(entries: readonly (Entry<unknown> | undefined)[]): number {
  let size = 0;
  for (const entry of entries) size += sizeOf(entry?.value);
  return size;
}
