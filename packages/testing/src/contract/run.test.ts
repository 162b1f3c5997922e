import { memoryStorage } from "@stowage/memory";
import { expect, test } from "vitest";
import type { ContractPromise } from "./promise.ts";
import { checkPromise, expectKept, runContract } from "./run.ts";
import type { StorageSubject } from "./subject.ts";

const onMemory: StorageSubject = { create: ({ clock }) => memoryStorage({ clock }) };

const promise = (run: ContractPromise["run"], needs: ContractPromise["needs"] = []): ContractPromise => ({
  name: "test",
  section: 1,
  needs,
  run,
});

test("a promise whose check passes is kept", async () => {
  expect(
    await checkPromise(
      promise(async ({ storage }) => void (await storage.get("key"))),
      onMemory,
    ),
  ).toBe("kept");
});

test("a promise whose check throws is broken by that error", async () => {
  const broken = new Error("broken");
  const check = promise(async () => {
    throw broken;
  });
  await expect(checkPromise(check, onMemory)).rejects.toBe(broken);
});

test("a check that never ends is broken, in words", async () => {
  const check = promise(() => new Promise(() => {}));
  await expect(checkPromise(check, onMemory, 10)).rejects.toThrow("The promise did not settle.");
});

test("a rejection that nobody handles breaks the promise during which it happened", async () => {
  const check = promise(async () => {
    void Promise.reject(new Error("nobody looks"));
  });
  await expect(checkPromise(check, onMemory)).rejects.toThrow("A rejection was left unhandled: Error: nobody looks");
});

test("who listens for unhandled rejections listens again afterwards", async () => {
  const before = process.listeners("unhandledRejection");
  await checkPromise(
    promise(async () => {}),
    onMemory,
  );
  expect(process.listeners("unhandledRejection")).toEqual(before);
});

test("a promise that needs what the storage lacks is replaced by the proof that it is refused", async () => {
  const create: StorageSubject["create"] = ({ clock }) => memoryStorage<unknown>({ values: "any", clock });
  let ran = false;
  const check = promise(async () => void (ran = true), ["streams"]);
  expect(await checkPromise(check, { create, values: ["one", "other"] })).toBe("refused");
  expect(ran).toBe(false);
});

test("every storage of a promise is closed before its cleanup, kept or broken", async () => {
  const events: string[] = [];
  const subject: StorageSubject = {
    create({ clock }) {
      const open = (name: string) => {
        const storage = memoryStorage({ clock });
        const close = storage.close.bind(storage);
        return Object.assign(storage, { close: () => (events.push(`close ${name}`), close()) });
      };
      return { storage: open("first"), reopen: () => open("second"), cleanup: () => void events.push("cleanup") };
    },
  };
  const check = promise(async ({ reopen }) => {
    await reopen();
    throw new Error("broken");
  });
  await expect(checkPromise(check, subject)).rejects.toThrow("broken");
  expect(events).toEqual(["close first", "close second", "cleanup"]);
});

test("fewer than two samples are refused, in words", async () => {
  const check = promise(async () => {});
  await expect(checkPromise(check, { ...onMemory, values: ["one"] })).rejects.toThrow("at least two sample values");
});

test("all broken promises are told at once", async () => {
  const create: StorageSubject["create"] = ({ clock }) => {
    const storage = memoryStorage({ clock });
    return Object.assign(storage, { has: async () => true });
  };
  const results = await runContract({ create }, { only: ({ section }) => section === 1 });
  expect(() => expectKept(results)).toThrow(/\d+ of \d+ promises are broken:\n {2}1\. has gives false where nothing is: .*\n {2}1\. /);
});
