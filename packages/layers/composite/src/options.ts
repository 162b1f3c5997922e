import type {
  AnyStorage,
  BooleanOption,
  ByteStorage,
  ChoiceOption,
  Clock,
  DurationOption,
  EitherOption,
  ObjectOption,
  Typed,
} from "@stowage/core";
import { checkOptions, clockOf, isByteStorage, option, StorageError, systemClock } from "@stowage/core";
import type { BreakerSettings } from "./breaker.ts";

const thirtyDays = 30 * 24 * 60 * 60 * 1000;

/** One of several storages that hold the same. */
export interface NamedReplica {
  /** For errors, counters and the picture of `explain`: a letter, then letters, digits, `-` and `_`. */
  readonly name: string;
  readonly storage: ByteStorage;
}

/** So many replicas. Where the numbers of a write and of a read add up to more than there are replicas, they have one in common. */
export interface Quorum {
  readonly quorum: number;
}

export interface CompositeOptions {
  /** The storages by name, in the order in which they are asked. Each may be a stack; each must keep metadata. */
  readonly replicas: Readonly<Record<string, ByteStorage>> | readonly NamedReplica[];
  /** Replicas that must have a write before it is acknowledged. @default "all" */
  readonly write?: "all" | Quorum | undefined;
  /**
   * Who answers a read: the first replica that is available; the fastest, where the next is asked too after `hedgeDelay`;
   * or the newest of so many answers. @default "first"
   */
  readonly read?: "first" | "fastest" | Quorum | undefined;
  /** Milliseconds after which `read: "fastest"` asks the next replica too. @default 50 */
  readonly hedgeDelay?: number | undefined;
  /** Where the replica that is asked has nothing: take it for missing, or ask the next. @default "stop" */
  readonly readMissing?: "stop" | "next" | undefined;
  /** With `readMissing: "next"`, copies what was found to the replicas that were asked before. @default true */
  readonly promote?: boolean | undefined;
  /** With a read quorum, brings replicas up to date where a read found that they differ. @default false */
  readonly readRepair?: boolean | undefined;
  /** Nobody else writes, so a write need not ask for the newest version first. @default false */
  readonly singleWriter?: boolean | undefined;
  /** Milliseconds that a replica may take to answer; for streamed writes, without taking a chunk. @default 10_000 */
  readonly timeout?: number | undefined;
  /** When a replica is left alone: after how many failures in a row, and for how long. @default 5 failures, 10_000 */
  readonly breaker?: { readonly failures?: number | undefined; readonly pause?: number | undefined } | undefined;
  /** Milliseconds that a delete is remembered at the least. @default 30 days */
  readonly tombstoneGrace?: number | undefined;
  /** @default for time-outs the clock of the machine, for `ttl` and versions that of the first replica */
  readonly clock?: Clock | undefined;
}

/** Options with their defaults, checked. */
export interface Settings {
  readonly replicas: readonly NamedReplica[];
  /** Replicas that a write must reach. */
  readonly write: number;
  readonly read: "first" | "fastest" | Quorum;
  readonly hedgeDelay: number;
  readonly readMissing: "stop" | "next";
  readonly promote: boolean;
  readonly readRepair: boolean;
  readonly singleWriter: boolean;
  readonly timeout: number;
  readonly breaker: BreakerSettings;
  readonly tombstoneGrace: number;
  /** For `ttl` and versions. */
  readonly clock: Clock;
  /** For waits and time-outs. */
  readonly timer: Clock;
}

const so = option.object("So many of them.", { quorum: option.whole("How many.", { min: 1, required: true }) });

/** All options but the replicas, as a storage file and the factory check them. */
export const definitions: {
  readonly write: Typed<EitherOption, "all" | Quorum, object>;
  readonly read: Typed<EitherOption, "first" | "fastest" | Quorum, object>;
  readonly hedgeDelay: Typed<DurationOption, number, object>;
  readonly readMissing: Typed<ChoiceOption, "stop" | "next", object>;
  readonly promote: Typed<BooleanOption, boolean, object>;
  readonly readRepair: Typed<BooleanOption, boolean, object>;
  readonly singleWriter: Typed<BooleanOption, boolean, object>;
  readonly timeout: Typed<DurationOption, number, object>;
  readonly breaker: Typed<ObjectOption, NonNullable<CompositeOptions["breaker"]>, object>;
  readonly tombstoneGrace: Typed<DurationOption, number, object>;
} = {
  write: option.either("Replicas that must have a write before it is acknowledged.", [option.choice("Each of them.", ["all"]), so], {
    default: "all",
  }),
  read: option.either(
    "Who answers a read: the first replica that is available, the fastest, or the newest of so many answers.",
    [option.choice("One of them.", ["first", "fastest"]), so],
    { default: "first" },
  ),
  hedgeDelay: option.duration("How long until `read: fastest` asks the next replica too.", { default: 50 }),
  readMissing: option.choice("Where the replica that is asked has nothing: take it for missing, or ask the next.", ["stop", "next"], {
    default: "stop",
  }),
  promote: option.boolean(
    "With `readMissing: next`, copies what was found to the replicas that were asked before; without it that is done as well.",
  ),
  readRepair: option.boolean("With a read quorum, brings replicas up to date where a read found that they differ.", { default: false }),
  singleWriter: option.boolean("Nobody else writes, so a write need not ask for the newest version first.", { default: false }),
  timeout: option.duration("How long a replica may take to answer; for streamed writes, how long without taking a chunk.", {
    min: 1,
    default: 10_000,
  }),
  breaker: option.object("When a replica is left alone.", {
    failures: option.whole("Failures in a row.", { min: 1, default: 5 }),
    pause: option.duration("How long it is left alone before a call tries it again.", { default: 10_000 }),
  }),
  tombstoneGrace: option.duration("How long a delete is remembered at the least.", { default: thirtyDays }),
};

/** @throws StorageError `invalid-option` */
export function settle(options: CompositeOptions): Settings {
  checkOptions(definitions, options, "composite", ["replicas"]);
  const replicas = replicasOf(options.replicas);
  const { write = "all", read = "first", readMissing = "stop", breaker = {}, promote, readRepair = false } = options;
  const settings: Settings = {
    replicas,
    write: write === "all" ? replicas.length : write.quorum,
    read,
    hedgeDelay: options.hedgeDelay ?? 50,
    readMissing,
    promote: promote ?? readMissing === "next",
    readRepair,
    singleWriter: options.singleWriter ?? false,
    timeout: options.timeout ?? 10_000,
    breaker: { failures: breaker.failures ?? 5, pause: breaker.pause ?? 10_000 },
    tombstoneGrace: options.tombstoneGrace ?? thirtyDays,
    clock: options.clock ?? clockOf(replicas[0]!.storage),
    timer: options.clock ?? systemClock,
  };
  checkChoices(settings);
  return settings;
}

function replicasOf(given: CompositeOptions["replicas"]): readonly NamedReplica[] {
  if (typeof given !== "object" || given === null) refuse("replicas must be storages by name.");
  const replicas: readonly NamedReplica[] = isList(given)
    ? given.map((each) => (typeof each === "object" && each !== null ? each : refuse("each of replicas must be { name, storage }.")))
    : Object.entries(given).map(([name, storage]) => ({ name, storage }));
  if (replicas.length === 0) refuse("replicas must have at least one storage.");
  const names = new Set<string>();
  const storages = new Set<ByteStorage>();
  for (const { name, storage } of replicas) {
    if (typeof name !== "string" || !/^[A-Za-z][\w-]{0,63}$/.test(name))
      refuse("the name of a replica must be a letter, then letters, digits, - and _.");
    if (names.size === names.add(name).size) refuse(`replicas has two of the name "${name}".`);
    if (typeof storage !== "object" || storage === null || !isByteStorage(storage))
      refuse(`the replica "${name}" must be a storage of bytes; put the codec above the composite.`);
    if (storages.size === storages.add(storage).size) refuse(`the replica "${name}" is the same storage as another one.`);
    if (standsOnComposite(storage)) refuse(`the replica "${name}" is a composite itself; name all replicas in one.`);
    if (!storage.capabilities.metadata)
      refuse(`the replica "${name}" keeps no metadata, which versions need: put envelope() on its stack.`);
  }
  return replicas;
}

function checkChoices({ replicas, write, read, readMissing, promote, readRepair }: Settings): void {
  const count = replicas.length;
  if (write > count) refuse(`write asks for ${write} replicas, and there are ${count}.`);
  if (typeof read === "object" && read.quorum > count) refuse(`read asks for ${read.quorum} replicas, and there are ${count}.`);
  if (typeof read === "object" && readMissing === "next")
    refuse('readMissing: "next" is not for a read quorum, which knows by itself what is missing.');
  if (readRepair && typeof read !== "object") refuse("readRepair needs a read quorum, which sees that replicas differ.");
  if (!promote) return;
  if (readMissing !== "next") refuse('promote needs readMissing: "next".');
  const without = replicas.slice(0, -1).find(({ storage }) => !storage.capabilities.conditions.includes("create"));
  if (without !== undefined)
    refuse(`the replica "${without.name}" lacks the condition "create", which promote needs; set promote: false, or put it last.`);
}

/** Whether versions and tombstones would meet those of another composite, which takes them for its own. */
function standsOnComposite(storage: AnyStorage): boolean {
  for (let part: AnyStorage | undefined = storage; part !== undefined; part = part.inner[0]) if (part.name === "composite") return true;
  return false;
}

function isList(given: CompositeOptions["replicas"]): given is readonly NamedReplica[] {
  return Array.isArray(given);
}

function refuse(problem: string): never {
  throw new StorageError("invalid-option", `composite: ${problem}`, { storage: "composite" });
}
