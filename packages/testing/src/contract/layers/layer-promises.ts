import assert from "node:assert/strict";
import type { AnyStorage, ByteStorage } from "@stowage/core";
import { codeOf, equal } from "../assertions.ts";
import { contract } from "../contract.ts";
import { operations } from "../operations.ts";
import { prepare } from "../subject.ts";
import { checkPromise, defaultPatience } from "../run.ts";
import { forwardingPromises } from "./forwarding.ts";
import type { LayerSubject } from "./layer-subject.ts";
import { onInner, onRecording, raisedAbilities, standsOnItself } from "./layer-subject.ts";
import { failurePromises } from "./failures.ts";
import { WeakenedStorage, weaknesses } from "./weakened-storage.ts";

/** One sentence about a layer, and the check that proves it. */
export interface LayerPromise {
  readonly name: string;
  run(patience: number): Promise<void>;
}

/**
 * What a layer promises beyond the contract: that it keeps the contract on itself and on storages that can do less, that
 * calls, options, errors and aborts go through unchanged, and that it claims no ability that it does not have.
 */
export function layerPromises<In extends AnyStorage = ByteStorage>(subject: LayerSubject<In>): readonly LayerPromise[] {
  const { refuses } = subject.documented ?? {};
  return [
    ...(refuses === undefined ? contractPromises(subject) : refusalPromises(subject, refuses)),
    ...forwardingPromises(subject),
    ...failurePromises(subject),
    ...lifecyclePromises(subject),
    abilityPromise(subject),
  ];
}

/** The contract as a whole, once for each storage that the layer may stand on. */
function contractPromises<In extends AnyStorage>(subject: LayerSubject<In>): LayerPromise[] {
  const weakened = weaknesses.map((weakness) => ({
    name: `keeps the contract on a storage ${weakness.name}`,
    run: (patience: number) =>
      keepsContract(
        onInner(subject, (inner) => new WeakenedStorage<unknown>(inner, weakness) as AnyStorage as In),
        patience,
      ),
  }));
  if (!standsOnItself(subject)) return weakened;
  const twice = onInner({
    ...subject,
    create: async (inner: In, context) => {
      const once = await subject.create(inner, context);
      return await subject.create(("storage" in once ? once.storage : once) as In, context);
    },
  });
  return [{ name: "keeps the contract on itself", run: (patience) => keepsContract(twice, patience) }, ...weakened];
}

async function keepsContract(subject: ReturnType<typeof onInner>, patience: number): Promise<void> {
  for (const promise of contract) {
    try {
      await checkPromise(promise, subject, patience);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new assert.AssertionError({ message: `Broken promise: ${promise.name}. ${message}` });
    }
  }
}

/** What is refused for good never gets below. */
function refusalPromises<In extends AnyStorage>(
  subject: LayerSubject<In>,
  { operations: refused, code }: NonNullable<NonNullable<LayerSubject<In>["documented"]>["refuses"]>,
): LayerPromise[] {
  return operations
    .filter((operation) => refused.includes(operation.name))
    .map((operation) => ({
      name: `${operation.name} is refused with "${code}" and does not get below`,
      async run(patience) {
        const { subject: recorded, recording } = onRecording(subject);
        const { context, dispose } = await prepare(recorded, patience);
        try {
          const error: unknown = await operation.start(context, "key").then(
            () => undefined,
            (reason: unknown) => reason,
          );
          equal(codeOf(error), code, "The code");
          equal(
            recording().calls.map((call) => call.operation),
            [],
            "The calls below",
          );
        } finally {
          await dispose();
        }
      },
    }));
}

function lifecyclePromises<In extends AnyStorage>(subject: LayerSubject<In>): LayerPromise[] {
  const { staysOpen = false } = subject.documented ?? {};
  return [
    {
      name: staysOpen ? "close leaves what is below open" : "close goes down once",
      async run(patience) {
        const { subject: recorded, recording } = onRecording(subject);
        const { context, dispose } = await prepare(recorded, patience);
        await context.storage.has("key");
        await context.storage.close();
        const closes = recording().calls.filter((call) => call.operation === "close").length;
        equal(closes, staysOpen ? 0 : 1, "How often close got below");
        await dispose();
      },
    },
    {
      name: staysOpen ? "close succeeds whatever is below" : "close tells what went wrong below",
      async run(patience) {
        const { subject: recorded, recording } = onRecording(subject);
        const { context, dispose } = await prepare(recorded, patience);
        const broken = new Error("cannot be closed");
        recording().closeError = broken;
        const error: unknown = await context.storage.close().catch((reason: unknown) => reason);
        assert.ok(error === (staysOpen ? undefined : broken), "close must reject with the error from below.");
        await dispose();
      },
    },
    {
      name: "says what it stands on",
      async run(patience) {
        const { subject: recorded, recording } = onRecording(subject);
        const { context, dispose } = await prepare(recorded, patience);
        assert.ok(standsOn(context.storage, recording()), "The storage below must be found through inner.");
        await dispose();
      },
    },
  ];
}

function abilityPromise<In extends AnyStorage>(subject: LayerSubject<In>): LayerPromise {
  return {
    name: "claims no ability that what is below lacks",
    async run(patience) {
      for (const weakness of weaknesses) {
        let below: AnyStorage | undefined;
        const weakened = onInner(subject, (inner) => {
          below = new WeakenedStorage<unknown>(inner, weakness);
          return below as In;
        });
        const { context, dispose } = await prepare(weakened, patience);
        const raised = raisedAbilities(context.capabilities, below!.capabilities, subject.documented?.adds);
        equal(raised, [], `Abilities that are claimed on a storage ${weakness.name}`);
        await dispose();
      }
    },
  };
}

const standsOn = (storage: AnyStorage, below: AnyStorage): boolean =>
  storage.inner.some((inner) => inner === below || standsOn(inner, below));

/** Checks a layer without a test runner: the names of what it breaks, with the reasons. */
export async function brokenLayerPromises<In extends AnyStorage = ByteStorage>(
  subject: LayerSubject<In>,
  { only, patience = defaultPatience }: { readonly only?: (name: string) => boolean; readonly patience?: number } = {},
): Promise<ReadonlyMap<string, unknown>> {
  const broken = new Map<string, unknown>();
  for (const promise of layerPromises(subject)) {
    if (only?.(promise.name) === false) continue;
    try {
      await promise.run(patience);
    } catch (error) {
      broken.set(promise.name, error);
    }
  }
  return broken;
}
