import { describe, expect, test } from "vitest";
import { onDouble, transports } from "./testing/doubles.ts";

const one = Uint8Array.of(1);
const two = Uint8Array.of(2);

describe.each(transports)("with %s", (transport) => {
  test("a create whose answer is lost is found again by its write id", async () => {
    const { double, storage } = await onDouble({ transport });
    double.on("PutObject").resetsAnswer(0);
    expect(await storage.put("key", one, { ifNoneMatch: "*" })).toMatchObject({ key: "key", size: 1 });
    expect(double.calls.map(({ operation }) => operation)).toEqual(["PutObject", "HeadObject"]);
    expect(await storage.head("key")).not.toHaveProperty("metadata");
  });

  test("a create that was lost on the way is sent again, and its own success is never an existing entry", async () => {
    const { double, storage } = await onDouble({ transport });
    double.on("PutObject").answers(500, { effect: false });
    await storage.put("one", one, { ifNoneMatch: "*" });
    double.on("PutObject").answers(500);
    double.on("PutObject").answers(500, { effect: true });
    await storage.put("two", one, { ifNoneMatch: "*" });
    expect(double.keys("bucket")).toEqual(["one", "two"]);
  });

  test("a replace whose answer is lost is settled; a lost one that another came after is not guessed", async () => {
    const { double, storage } = await onDouble({ transport });
    const { etag } = await storage.put("key", one);
    double.on("PutObject").resetsAnswer(0);
    const replaced = await storage.put("key", two, { ifMatch: etag });
    expect(await storage.get("key")).toEqual(two);
    double.on("PutObject").answers(500, { effect: false });
    double.on("HeadObject").answers(503);
    await expect(storage.put("key", one, { ifMatch: replaced.etag })).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
    double.on("PutObject").answers(500, { effect: false });
    const racing = storage.put("key", one, { ifMatch: etag });
    await expect(racing).rejects.toMatchObject({ code: "conflict", outcome: "unknown" });
  });

  test("who loses a race on Ceph, which answers 500, has lost for sure", async () => {
    const { double, storage } = await onDouble({ transport });
    await storage.put("key", one);
    double.on("PutObject").answers(500, { code: "UnknownError" });
    await expect(storage.put("key", two, { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "precondition-failed", outcome: "none" });
  });

  test("412 is settled, 409 is a race, and 404 is a version that is not there", async () => {
    const { double, storage } = await onDouble({ transport });
    double.on("PutObject").answers(409);
    await expect(storage.put("key", one, { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "conflict", outcome: "none" });
    double.on("PutObject").answers(412);
    await expect(storage.put("key", one, { ifNoneMatch: "*" })).rejects.toMatchObject({ code: "precondition-failed", retryable: false });
    await expect(storage.put("key", one, { ifMatch: "abc" })).rejects.toMatchObject({ code: "precondition-failed" });
    await expect(storage.delete("key", { ifMatch: "abc" })).rejects.toMatchObject({ code: "precondition-failed" });
  });

  test("etags lose their quotes for old Ceph, after one try", async () => {
    const { double, storage } = await onDouble({ transport }, { oldCeph: true });
    const first = await storage.put("key", one);
    const second = await storage.put("key", two, { ifMatch: first.etag });
    double.calls.length = 0;
    const third = await storage.put("key", one, { ifMatch: second.etag });
    expect(double.calls.map(({ headers }) => headers["if-match"])).toEqual([second.etag]);
    await expect(storage.put("key", two, { ifMatch: second.etag })).rejects.toMatchObject({ code: "precondition-failed" });
    expect((await storage.head("key"))?.etag).toBe(third.etag);
  });

  test("a delete whose answer is lost is of unknown outcome", async () => {
    const { double, storage } = await onDouble({ transport });
    const { etag } = await storage.put("key", one);
    double.on("DeleteObject").resetsAnswer(0);
    await expect(storage.delete("key", { ifMatch: etag })).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
  });

  test("probe tells what is honoured, and leaves nothing", async () => {
    const everything = { create: true, replace: true, delete: true, stream: true };
    const honest = await onDouble({ transport });
    expect(await honest.storage.probe()).toEqual(everything);
    expect([honest.double.keys("bucket"), honest.double.uploads("bucket")]).toEqual([[], []]);
    const ignoring = await onDouble({ transport }, { conditions: [] });
    expect(await ignoring.storage.probe()).toEqual({ create: false, replace: false, delete: false, stream: false });
    expect(await (await onDouble({ transport }, { oldCeph: true })).storage.probe()).toEqual(everything);
    const some = await onDouble({ transport }, { conditions: ["create", "replace"] });
    expect(await some.storage.probe()).toEqual({ create: true, replace: true, delete: false, stream: false });
  });

  test("probe fails where the service does not answer", async () => {
    const { double, storage } = await onDouble({ transport });
    double.on("PutObject").answers(403);
    await expect(storage.probe()).rejects.toMatchObject({ code: "denied", operation: "probe" });
  });
});

test("conditions are all for AWS, none for an endpoint, and else what was said", async () => {
  const { another } = await onDouble();
  expect(another({ conditions: undefined }).capabilities.conditions).toEqual([]);
  expect(another({ conditions: undefined, endpoint: undefined }).capabilities.conditions).toEqual([
    "create",
    "replace",
    "delete",
    "stream",
  ]);
  expect(another({ conditions: ["create"] }).capabilities.conditions).toEqual(["create"]);
});
