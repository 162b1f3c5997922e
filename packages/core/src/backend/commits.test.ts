import { expect, test } from "vitest";
import type { Clock } from "../contract/clock.ts";
import type { Committed, SubmittedChanges } from "./commits.ts";
import { Commits, mostBytesAtOnce, mostChangesAtOnce } from "./commits.ts";
import { Turns } from "./turns.ts";

const busy = new Error("busy");

interface SetUp {
  readonly commits: Commits<string, string>;
  /** The groups that were sent to be committed. */
  readonly groups: string[][];
  readonly submit: (change: string, options?: Partial<SubmittedChanges<string, string>>) => Promise<string>;
  /** Errors that the next groups meet instead. */
  readonly errors: Error[];
}

function setUp(more: () => boolean = () => false): SetUp {
  const groups: string[][] = [];
  const errors: Error[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    async sleep(duration) {
      now += duration;
      await new Promise(setImmediate);
    },
  };
  const commits = new Commits<string, string>({
    run: (changes): Committed<string> => {
      groups.push([...changes]);
      const error = errors.shift();
      if (error !== undefined) throw error;
      return { outcomes: changes.map((change) => `${change}!`), more: more() };
    },
    soon: (run) => process.nextTick(run),
    turns: new Turns(setImmediate, () => now),
    clock,
    isBusy: (error) => error === busy,
    busyTimeout: 100,
  });
  const submit: SetUp["submit"] = (change, options) =>
    new Promise((resolve, reject) =>
      commits.submit({ changes: [change], size: 1, signal: undefined, settle: ([outcome]) => resolve(outcome!), reject, ...options }),
    );
  return { commits, groups, submit, errors };
}

test("changes of one turn are one group, in their order, and each is answered for itself", async () => {
  const { groups, submit, commits } = setUp();
  const answers = await Promise.all([submit("a"), submit("b"), Promise.resolve().then(() => submit("c"))]);
  expect(answers).toEqual(["a!", "b!", "c!"]);
  expect(groups).toEqual([["a", "b", "c"]]);
  expect(commits).toMatchObject({ transactions: 1, changes: 3 });
});

test("whoever goes on because of an answer is in the next group with all others that do", async () => {
  const { groups, submit } = setUp();
  const client = async (name: string): Promise<void> => {
    for (let step = 1; step <= 3; step++) await submit(`${name}${step}`);
  };
  await Promise.all([client("a"), client("b")]);
  expect(groups).toEqual([
    ["a1", "b1"],
    ["a2", "b2"],
    ["a3", "b3"],
  ]);
});

test("a group is bounded by its changes and its bytes, and what is submitted together stays together", async () => {
  const { groups, submit, commits } = setUp();
  const many = Array.from({ length: mostChangesAtOnce + 1 }, (_, index) => submit(String(index)));
  const large = [submit("large", { size: mostBytesAtOnce }), submit("after")];
  const together = new Promise<readonly string[]>((settle, reject) =>
    commits.submit({ changes: Array.from({ length: 2 * mostChangesAtOnce }, () => "x"), size: 1, signal: undefined, settle, reject }),
  );
  await Promise.all([...many, ...large]);
  expect(await together).toHaveLength(2 * mostChangesAtOnce);
  expect(groups.map(({ length }) => length)).toEqual([mostChangesAtOnce, 1, 1, 1, 2 * mostChangesAtOnce]);
});

test("a group that fails rejects all of it, and the next one is made", async () => {
  const { submit, errors } = setUp();
  const broken = new Error("broken");
  errors.push(broken);
  const results = await Promise.allSettled([submit("a"), submit("b")]);
  expect(results).toMatchObject([{ reason: broken }, { reason: broken }]);
  expect(await submit("c")).toBe("c!");
});

test("a lock that somebody else holds is waited for, up to a limit", async () => {
  const { groups, submit, errors } = setUp();
  errors.push(busy, busy);
  expect(await submit("a")).toBe("a!");
  expect(groups).toEqual([["a"], ["a"], ["a"]]);
  errors.push(...Array.from({ length: 1_000 }, () => busy));
  await expect(submit("b")).rejects.toBe(busy);
  expect(groups.length).toBeLessThan(30);
});

test("a change whose signal is aborted before it is sent is not made, nor while it waits for a lock", async () => {
  const { groups, submit, errors } = setUp();
  const stop = new AbortController();
  const reason = new Error("Enough.");
  const first = submit("a", { signal: stop.signal });
  stop.abort(reason);
  await expect(first).rejects.toBe(reason);
  expect(groups).toEqual([]);
  const later = new AbortController();
  errors.push(busy);
  const results = Promise.allSettled([submit("b", { signal: later.signal }), submit("c")]);
  await new Promise(process.nextTick);
  later.abort(reason);
  expect(await results).toMatchObject([{ reason }, { value: "c!" }]);
  expect(groups).toEqual([["b", "c"], ["c"]]);
});

test("what is left to do beside changes is done in further turns, until there is nothing left or it is stopped", async () => {
  let left = 3;
  const { groups, submit } = setUp(() => left-- > 0);
  await submit("a");
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  expect(groups).toEqual([["a"], [], [], []]);
  const endless = setUp(() => true);
  await endless.submit("a");
  endless.commits.stop();
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  expect(endless.groups.length).toBeLessThan(5);
});

test("idle answers when all that was submitted before is answered", async () => {
  const { commits, submit } = setUp();
  const order: string[] = [];
  await Promise.all([submit("a").then((answer) => order.push(answer)), commits.idle().then(() => order.push("idle"))]);
  expect(order).toEqual(["a!", "idle"]);
});

test("changes that come after the stop are refused, and those that wait are made", async () => {
  const { groups, submit, commits } = setUp();
  const waiting = submit("a");
  commits.stop();
  await expect(submit("b")).rejects.toMatchObject({ code: "closed" });
  await commits.idle();
  expect(await waiting).toBe("a!");
  expect(groups).toEqual([["a"]]);
});
