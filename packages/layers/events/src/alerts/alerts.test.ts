import type { ByteStorage } from "@stowage/core";
import { findLayer, stack, StorageError } from "@stowage/core";
import { mockStorage, VirtualClock } from "@stowage/testing";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Alert, AlertEvent } from "../index.ts";
import { events, EventsStorage } from "../index.ts";

/** A storage with alerts on a clock that the test moves; what is told is written as `state@second`. */
function alerting(...alerts: readonly Alert[]): {
  clock: VirtualClock;
  mock: ReturnType<typeof mockStorage>;
  storage: ByteStorage;
  told: AlertEvent[];
  states: () => string[];
} {
  const clock = new VirtualClock();
  const start = clock.now();
  const mock = mockStorage({ clock });
  const told: AlertEvent[] = [];
  const storage = stack(mock, events({ clock, alerts, subject: "users", onAlert: (event) => void told.push(event) }));
  return { clock, mock, storage, told, states: () => told.map(({ state, at }) => `${state}@${(at - start) / 1000}`) };
}

/** Calls that fill `seconds`, so many in each. */
async function load(clock: VirtualClock, seconds: number, call: (number: number) => Promise<unknown>, perSecond = 10): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    for (let number = 0; number < perSecond; number++) await call(number).catch(() => {});
    await clock.advance(1_000);
  }
}

test("operations per second are told when they pass the limit, and when they are back", async () => {
  const alert: Alert = { metric: "operationsPerSecond", operation: "get", above: 5, window: 10_000 };
  const { clock, storage, told, states } = alerting(alert);
  await load(clock, 10, () => storage.get("key"), 4);
  await load(clock, 10, () => storage.put("key", new Uint8Array(1)), 50);
  expect(told).toEqual([]);
  await load(clock, 10, () => storage.get("key"), 10);
  await clock.advance(20_000);
  expect(states()).toEqual(["raised@26", "cleared@35"]);
  expect(told[0]).toEqual({ type: "alert", subject: "users", at: expect.any(Number) as number, alert, state: "raised", value: 6 });
});

test("an alert is raised after its limit was passed for long enough, and cleared after all was well for as long", async () => {
  const { clock, mock, storage, states } = alerting({ metric: "errorRate", above: 0.5, window: 1_000, for: 5_000 });
  const fails = (): Promise<unknown> => storage.get("bad");
  mock.on("get", "bad").fails(new StorageError("unavailable", "It is down."));
  await load(clock, 4, fails);
  await load(clock, 2, () => storage.get("good"));
  expect(states()).toEqual([]);
  await load(clock, 8, fails);
  await load(clock, 4, () => storage.get("good"));
  await load(clock, 1, fails);
  await load(clock, 20, () => storage.get("good"));
  expect(states().map((state) => state.split("@")[0])).toEqual(["raised", "cleared"]);
  const [raised = 0, cleared = 0] = states().map((state) => Number(state.split("@")[1]));
  expect(raised).toBeGreaterThanOrEqual(11);
  expect(raised).toBeLessThanOrEqual(12);
  expect(cleared).toBeGreaterThanOrEqual(24);
  expect(cleared).toBeLessThanOrEqual(25.2);
});

test("a percentile of latency is measured, that of a stream until it is handed out", async () => {
  const { clock, mock, storage, told } = alerting({ metric: "latency", operation: "get", percentile: 90, above: 50, window: 10_000 });
  await storage.put("key", new Uint8Array(10));
  const slow = async (): Promise<void> => {
    const entry = await storage.read("key");
    await clock.advance(400);
    await entry!.value.cancel();
  };
  await load(clock, 5, slow, 2);
  expect(told).toEqual([]);
  mock.on("get").delays(100);
  for (let count = 0; count < 5; count++) {
    const got = storage.get("key");
    await clock.advance(100);
    await got;
  }
  await clock.advance(1_000);
  expect(told).toMatchObject([{ state: "raised" }]);
  expect(told[0]!.value).toBeGreaterThan(94);
  expect(told[0]!.value).toBeLessThan(106);
});

test("the hit ratio is told below its limit; head and has count for nothing", async () => {
  const { clock, storage, told } = alerting({ metric: "hitRatio", below: 0.8, window: 10_000 });
  await storage.put("key", new Uint8Array(1));
  await load(clock, 5, () => storage.has("missing"));
  await load(clock, 5, () => storage.get("key"));
  expect(told).toEqual([]);
  await load(clock, 5, () => storage.getEntries(["key", "missing"]));
  expect(told).toMatchObject([{ state: "raised" }]);
  expect(told[0]!.value).toBeLessThan(0.8);
});

test("what the caller aborted or got wrong, and conditions that did not hold, are no errors of the rate", async () => {
  const { clock, mock, storage, told } = alerting({ metric: "errorRate", above: 0, window: 1_000 });
  mock.on("get", "conflict").fails(new StorageError("precondition-failed", "It changed."));
  const aborted = AbortSignal.abort(new Error("gone"));
  await load(clock, 3, () => storage.get("conflict"));
  const timedOut = AbortSignal.abort(new StorageError("timeout", "The request took too long."));
  await load(clock, 3, () => storage.get("key", { signal: aborted }));
  await load(clock, 3, () => storage.get("key", { signal: timedOut }));
  await load(clock, 3, () => storage.get(""));
  expect(told).toEqual([]);
  const failures = [{ index: 0, key: "a", error: new StorageError("full", "No room.") }];
  mock.on("batch").fails(new StorageError("partial", "Some failed.", { failures }));
  await load(clock, 1, () => storage.batch([{ type: "delete", key: "a" }]), 1);
  expect(told).toMatchObject([{ state: "raised" }]);
});

test("what before refused says nothing of the storage, so it is no error of the rate", async () => {
  const clock = new VirtualClock();
  const told: AlertEvent[] = [];
  const before = (): never => {
    throw new Error("not today");
  };
  const alerts: Alert[] = [{ metric: "errorRate", above: 0, window: 1_000 }];
  const storage = stack(mockStorage({ clock }), events({ clock, before, alerts, onAlert: (event) => void told.push(event) }));
  await load(clock, 3, () => storage.get("key"));
  expect(told).toEqual([]);
});

test("without calls there is no latency, error rate or hit ratio, so these alerts are cleared", async () => {
  const { clock, mock, storage, told } = alerting(
    { metric: "latency", above: 0.001, window: 1_000 },
    { metric: "errorRate", above: 0, window: 1_000 },
    { metric: "hitRatio", below: 1, window: 1_000 },
  );
  mock.on("get", "slow").delays(10);
  mock.on("get", "bad").fails(new StorageError("unavailable", "It is down."));
  const slow = storage.get("slow");
  await clock.advance(10);
  await slow;
  await storage.get("bad").catch(() => {});
  await clock.advance(10_000);
  expect(told.map(({ alert, state }) => `${alert.metric} ${state}`)).toEqual([
    "latency raised",
    "errorRate raised",
    "hitRatio raised",
    "latency cleared",
    "errorRate cleared",
    "hitRatio cleared",
  ]);
  expect(told.at(-1)).toMatchObject({ value: undefined });
  expect(clock.pending).toBe(0);
});

test("silence is below a number of operations per second, once there was a call and a whole window has passed", async () => {
  const { clock, storage, states } = alerting({ metric: "operationsPerSecond", below: 1, window: 10_000 });
  await clock.advance(60_000);
  expect(states()).toEqual([]);
  await load(clock, 20, () => storage.get("key"), 5);
  expect(states()).toEqual([]);
  await clock.advance(60_000);
  await load(clock, 5, () => storage.get("key"), 5);
  expect(states().map((state) => state.split("@")[0])).toEqual(["raised", "cleared"]);
  await storage.close();
  expect(clock.pending).toBe(0);
});

test("alerts are told to listeners too, counted while they are raised, and end with the storage", async () => {
  const { clock, mock, storage, told } = alerting({ metric: "errorRate", above: 0, window: 1_000 });
  const layer = findLayer(storage, EventsStorage)!;
  const heard: string[] = [];
  layer.on("alert", ({ state }) => heard.push(state));
  mock.on("get").fails(new StorageError("unavailable", "It is down."));
  await load(clock, 1, () => storage.get("key"));
  expect(heard).toEqual(["raised"]);
  expect(layer.details()).toMatchObject({ options: { alerts: [{ metric: "errorRate" }] }, stats: { alertsRaised: 1 } });
  await storage.close();
  await clock.advance(10_000);
  expect(told).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test("a clock that is set back or far ahead neither breaks the window nor lasts for ever", async () => {
  const { clock, storage, told } = alerting({ metric: "operationsPerSecond", above: 100, window: 10_000 });
  await load(clock, 2, () => storage.get("key"));
  clock.jump(-3_600_000);
  await load(clock, 20, () => storage.get("key"));
  clock.jump(24 * 3_600_000);
  await load(clock, 20, () => storage.get("key"));
  expect(told).toEqual([]);
  await load(clock, 20, () => storage.get("key"), 200);
  expect(told).toMatchObject([{ state: "raised" }]);
});

test("alerts do not keep a process alive", { timeout: 90_000 }, async () => {
  const program = `
    import { memoryStorage } from "@stowage/memory";
    import { events } from "@stowage/events";
    const storage = events({ alerts: [{ metric: "operationsPerSecond", below: 1, window: 3_600_000 }] })(memoryStorage());
    await storage.get("key");
    console.log("done");
  `;
  const node = [...process.execArgv.filter((argument) => argument.startsWith("--no-warnings")), "--conditions=@stowage/source"];
  const { stdout } = await promisify(execFile)(process.execPath, [...node, "--input-type=module", "--eval", program], {
    cwd: import.meta.dirname,
    timeout: 60_000,
  });
  expect(stdout).toBe("done\n");
});
