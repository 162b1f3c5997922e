import type { AnyStorage, ByteStorage, Capabilities, ErrorCode, OperationName } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import type { CreateContext, CreatedStorage, StorageSubject } from "../subject.ts";
import { RecordingStorage } from "./recording-storage.ts";

/** What proves a layer: how to put it on a storage, what to put into it, and what it documents to do differently. */
export interface LayerSubject<In extends AnyStorage = ByteStorage> {
  /** Puts the layer on a storage. */
  readonly create: (inner: In, context: CreateContext) => AnyStorage | CreatedStorage | Promise<AnyStorage | CreatedStorage>;
  /** At least two different samples of what it holds. @default bytes */
  readonly values?: readonly unknown[] | undefined;
  /** What it stands on. @default memoryStorage() of bytes */
  readonly inner?: ((context: CreateContext) => In) | undefined;
  /** Where its documentation says that calls do not go down as they came. @default nothing */
  readonly documented?: DocumentedChanges | undefined;
}

/** What a layer changes on purpose. All else is checked to arrive unchanged. */
export interface DocumentedChanges {
  /** The key below, for a key above. @default the same */
  readonly key?: ((key: string) => string) | undefined;
  /** Values look different below. @default false */
  readonly values?: boolean | undefined;
  /** Operations that are not one call of the same name below: what a cache answers itself. @default none */
  readonly calls?: readonly OperationName[] | undefined;
  /** Operations whose errors do not arrive as the same object. They must still reject. @default none */
  readonly errors?: readonly OperationName[] | undefined;
  /** Abilities that it adds to what is below. With `ttl` or `metadata` it keeps those of an entry itself, and they do not go down. @default none */
  readonly adds?: readonly (keyof Capabilities)[] | undefined;
  /** Operations that it never lets through. The contract then holds for the others only. @default none */
  readonly refuses?: { readonly operations: readonly OperationName[]; readonly code: ErrorCode } | undefined;
  /** `close` leaves what is below open. @default false */
  readonly staysOpen?: boolean | undefined;
}

/** The layer on a storage that `wrap` changes, as something that the contract can be run on. */
export function onInner<In extends AnyStorage>(subject: LayerSubject<In>, wrap: (inner: In) => In = (inner) => inner): StorageSubject {
  return { values: subject.values, create: (context) => subject.create(wrap(makeInner(subject, context)), context) };
}

/** Whether the layer can stand on itself: what it gives is what it takes. A codec cannot. */
export function standsOnItself<In extends AnyStorage>(subject: LayerSubject<In>): boolean {
  if (subject.inner !== undefined || subject.values === undefined) return true;
  return subject.values.every((value) => value instanceof Uint8Array);
}

/** The layer on a storage that notes its calls. */
export function onRecording<In extends AnyStorage>(
  subject: LayerSubject<In>,
): {
  readonly subject: StorageSubject;
  readonly recording: () => RecordingStorage<unknown>;
} {
  let below: RecordingStorage<unknown> | undefined;
  const recording = (): RecordingStorage<unknown> => {
    if (below === undefined) throw new Error("The layer was not made yet.");
    return below;
  };
  const record = (inner: In): In => {
    below = new RecordingStorage<unknown>(inner);
    return below as AnyStorage as In;
  };
  return { subject: onInner(subject, record), recording };
}

/** Abilities that the layer claims though what is below lacks them. */
export function raisedAbilities(layer: Capabilities, inner: Capabilities, adds: readonly string[] = []): string[] {
  const raised = Object.keys(ranks).filter((name) => rank(layer, name) > rank(inner, name));
  const more = layer.conditions.filter((condition) => !inner.conditions.includes(condition));
  return [...raised, ...(more.length > 0 ? ["conditions"] : [])].filter((name) => !adds.includes(name));
}

const ranks: Readonly<Record<string, readonly unknown[]>> = {
  ttl: [false, "lazy", "native"],
  metadata: [false, true],
  list: ["none", "unordered", "ordered"],
  atomicBatch: [false, true],
  anyKey: [false, true],
  streams: ["none", "buffered", "native"],
  durability: ["memory", "process", "power"],
  shared: [false, true],
};

const rank = (capabilities: Capabilities, name: string): number => (ranks[name] ?? []).indexOf(Reflect.get(capabilities, name));

function makeInner<In extends AnyStorage>({ inner }: LayerSubject<In>, context: CreateContext): In {
  return inner === undefined ? (memoryStorage({ clock: context.clock }) as AnyStorage as In) : inner(context);
}
