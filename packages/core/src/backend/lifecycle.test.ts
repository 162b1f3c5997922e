import { expect, test } from "vitest";
import { HandClock, settled } from "../../test/map-storage.ts";
import { Lifecycle } from "./lifecycle.ts";

/** A promise that a test settles. */
function door(): { readonly opened: Promise<void>; open(): void; jam(error: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve, jam: reject };
}

test("nothing is opened before the first call, and calls at once open once", async () => {
  let opens = 0;
  const lifecycle = new Lifecycle({ name: "file", open: async () => void opens++ });
  expect([opens, lifecycle.ready]).toEqual([0, false]);
  await Promise.all([lifecycle.run("get", () => 1), lifecycle.run("get", () => 2)]);
  expect([opens, lifecycle.ready]).toEqual([1, true]);
});

test("a failed open rejects the call and is tried again by the next", async () => {
  let opens = 0;
  const lifecycle = new Lifecycle({
    name: "file",
    open: async () => {
      if (++opens === 1) throw new Error("no such disk");
    },
  });
  await expect(lifecycle.run("get", () => 1)).rejects.toThrow("no such disk");
  expect(await lifecycle.run("get", () => 1)).toBe(1);
});

test("an abort ends the wait for an open that hangs", async () => {
  const lifecycle = new Lifecycle({ name: "file", open: () => new Promise(() => {}) });
  const abort = new AbortController();
  const call = lifecycle.run("get", () => 1, abort.signal);
  const reason = new Error("enough");
  abort.abort(reason);
  await expect(call).rejects.toBe(reason);
  await expect(lifecycle.run("get", () => 1, abort.signal)).rejects.toBe(reason);
});

test("close refuses new calls, waits for running ones, flushes and then releases", async () => {
  const done: string[] = [];
  const { opened, open } = door();
  const lifecycle = new Lifecycle({
    name: "file",
    open: async () => {},
    flush: async () => void done.push("flush"),
    release: async () => void done.push("release"),
  });
  const call = lifecycle.run("put", async () => {
    await opened;
    done.push("put");
  });
  const closing = lifecycle.close();
  await expect(lifecycle.run("get", () => 1)).rejects.toMatchObject({ code: "closed", operation: "get", storage: "file" });
  await settled();
  expect(done).toEqual([]);
  open();
  await Promise.all([call, closing]);
  expect(done).toEqual(["put", "flush", "release"]);
});

test("closing again gives the same answer and releases once", async () => {
  let releases = 0;
  const lifecycle = new Lifecycle({ name: "file", release: async () => void releases++ });
  await Promise.all([lifecycle.close(), lifecycle.close()]);
  await lifecycle.close();
  expect(releases).toBe(1);
});

test("what was never opened is not released", async () => {
  let releases = 0;
  const lifecycle = new Lifecycle({ name: "file", open: async () => {}, release: async () => void releases++ });
  await lifecycle.close();
  expect(releases).toBe(0);
});

test("close releases although flush failed, and reports the first error", async () => {
  let releases = 0;
  const lifecycle = new Lifecycle({
    name: "file",
    flush: () => Promise.reject(new Error("disk full")),
    release: () => {
      releases++;
      return Promise.reject(new Error("and stuck"));
    },
  });
  await expect(lifecycle.close()).rejects.toThrow("disk full");
  expect(releases).toBe(1);
});

test("close gives up on a call that hangs after its time limit", async () => {
  const clock = new HandClock();
  let released = false;
  const lifecycle = new Lifecycle({ name: "file", clock, closeTimeout: 500, release: async () => void (released = true) });
  void lifecycle.run("put", () => new Promise(() => {}));
  const closing = lifecycle.close();
  await clock.advance(499);
  expect(released).toBe(false);
  await clock.advance(1);
  await closing;
  expect(released).toBe(true);
});

test("the time limit leaves no timer when the calls end before it", async () => {
  const clock = new HandClock();
  const { opened, open } = door();
  const lifecycle = new Lifecycle({ name: "file", clock });
  const call = lifecycle.run("put", () => opened);
  const closing = lifecycle.close();
  await settled();
  expect(clock.sleeping).toBe(1);
  open();
  await Promise.all([call, closing]);
  expect(clock.sleeping).toBe(0);
});

test("an open that ends after close gave up is released, and its call is closed", async () => {
  const clock = new HandClock();
  const { opened, open } = door();
  let released = false;
  const lifecycle = new Lifecycle({ name: "s3", clock, open: () => opened, release: async () => void (released = true) });
  const call = lifecycle.run("get", () => 1);
  const refused = expect(call).rejects.toMatchObject({ code: "closed" });
  const closing = lifecycle.close();
  await clock.advance(10_000);
  await closing;
  expect(released).toBe(false);
  open();
  await refused;
  await settled();
  expect(released).toBe(true);
});

test("an open that fails after close gave up disturbs nobody", async () => {
  const clock = new HandClock();
  const { opened, jam } = door();
  const lifecycle = new Lifecycle({ name: "s3", clock, open: () => opened, release: async () => {} });
  const failed = expect(lifecycle.run("get", () => 1)).rejects.toThrow("refused");
  const closing = lifecycle.close();
  await clock.advance(10_000);
  await closing;
  jam(new Error("refused"));
  await failed;
});

test("a close waits for all steps of a call and refuses other calls, and the steps of a call that it gave up", async () => {
  for (const isLate of [false, true]) {
    const clock = new HandClock();
    const [first, second] = [door(), door()];
    const lifecycle = new Lifecycle({ name: "file", clock, closeTimeout: 500, open: async () => {}, release: async () => {} });
    const call = lifecycle.during("batch", async () => {
      await first.opened;
      const one = await lifecycle.step(() => lifecycle.run("put", () => 1));
      await second.opened;
      return await lifecycle.step(() => lifecycle.run("put", () => one + 1));
    });
    const outcome = expect(call);
    const closing = lifecycle.close();
    const told = isLate ? outcome.rejects.toMatchObject({ code: "closed" }) : outcome.resolves.toBe(2);
    await expect(lifecycle.run("get", () => 1)).rejects.toMatchObject({ code: "closed" });
    first.open();
    await settled();
    if (isLate) await clock.advance(500);
    else second.open();
    await closing;
    second.open();
    await told;
  }
});
