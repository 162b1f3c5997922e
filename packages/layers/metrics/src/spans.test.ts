import { AsyncLocalStorage } from "node:async_hooks";
import type { Context, ContextManager, TracerProvider as Provider, Tracer } from "@opentelemetry/api";
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Bytes } from "@stowage/core";
import { json, stack, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { MockStorage } from "@stowage/testing";
import { afterEach, expect, test } from "vitest";
import { metrics, metricsOf } from "./index.ts";

afterEach(() => {
  trace.disable();
  context.disable();
});

/** What a program on Node sets up, in short. */
class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }
  with<A extends unknown[], F extends (...rest: A) => ReturnType<F>>(
    inside: Context,
    work: F,
    self?: ThisParameterType<F>,
    ...rest: A
  ): ReturnType<F> {
    return this.#storage.run(inside, () => work.call(self, ...rest));
  }
  bind<T>(_context: Context, target: T): T {
    return target;
  }
  enable(): this {
    return this;
  }
  disable(): this {
    return this;
  }
}

function tracing(): () => ReadableSpan[] {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  context.setGlobalContextManager(new AsyncContexts());
  return () => exporter.getFinishedSpans();
}

const one: Bytes = new Uint8Array(1);

test("each call has a span inside that of its caller, and names no key", async () => {
  const spans = tracing();
  const storage = stack(memoryStorage(), metrics({ name: "users", spans: true }), json<number>(), metrics({ name: "users", spans: true }));
  await trace.getTracer("test").startActiveSpan("request", async (request) => {
    await storage.put("secret", 1);
    request.end();
  });
  const [below, above, request] = spans();
  expect([below, above, request].map((span) => span?.name)).toEqual(["put users", "put users", "request"]);
  expect(below?.parentSpanContext?.spanId).toBe(above?.spanContext().spanId);
  expect(above?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
  expect([below?.kind, above?.kind]).toEqual([SpanKind.CLIENT, SpanKind.INTERNAL]);
  expect(below?.attributes).toEqual({
    "db.system.name": "memory",
    "db.collection.name": "users",
    "db.operation.name": "put",
    "stowage.layer": "memory",
    "stowage.outcome": "ok",
  });
  expect(JSON.stringify(spans().map(({ name, attributes, events, status }) => [name, attributes, events, status]))).not.toContain("secret");
});

test("off unless asked for", async () => {
  const spans = tracing();
  await stack(memoryStorage(), metrics()).put("a", one);
  expect(spans()).toEqual([]);
});

test("a call that fails has a span with the code of its error, and nothing of its message", async () => {
  const spans = tracing();
  const mock = new MockStorage();
  const storage = stack(mock, metrics({ spans: true }));
  mock.on("get", "a").fails(new StorageError("unavailable", "Down."), { times: 1 });
  await storage.get("a").catch(() => {});
  mock.on("get", "secret").fails(new Error("no such file: secret"), { times: 1 });
  await storage.get("secret").catch(() => {});
  const controller = new AbortController();
  mock.on("get", "b").hangs();
  const call = storage.get("b", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await call.catch(() => {});
  expect(spans().map(({ status, attributes }) => [status, attributes["error.type"], attributes["stowage.outcome"]])).toEqual([
    [{ code: SpanStatusCode.ERROR, message: "unavailable" }, "unavailable", "error"],
    [{ code: SpanStatusCode.ERROR, message: "_OTHER" }, "_OTHER", "error"],
    [{ code: SpanStatusCode.UNSET }, undefined, "aborted"],
  ]);
});

test("the span of a stream ends when the stream does", async () => {
  const spans = tracing();
  const storage = stack(memoryStorage(), metrics({ spans: true }));
  await storage.write("a", new Blob([new Uint8Array(100_000)]));
  const entry = await storage.read("a");
  expect(spans().map(({ name }) => name)).toEqual(["write default"]);
  for await (const chunk of entry!.value) expect([chunk.byteLength > 0, spans().length]).toEqual([true, 1]);
  expect(spans().map(({ name }) => name)).toEqual(["write default", "read default"]);
  await (await storage.read("a"))?.value.cancel();
  await storage.read("b");
  expect(spans().map(({ attributes }) => attributes["stowage.outcome"])).toEqual(["ok", "ok", "aborted", "missing"]);
  const controller = new AbortController();
  await storage.read("a", { signal: controller.signal });
  controller.abort();
  expect(spans().at(-1)?.attributes["stowage.outcome"]).toBe("aborted");
  expect(spans()).toHaveLength(5);
});

test("a tracer, a span or a context manager that throws touches no call, and each call is sent once", async () => {
  const fail = (): never => {
    throw new Error("broken");
  };
  const tracer = (part: Partial<Tracer>): Provider => ({ getTracer: () => part as Tracer });
  const span = (broken: string): object => {
    const working = { spanContext: () => ({}), setAttribute: () => working, setStatus: () => working, end: () => {} };
    return Object.assign(working, { [broken]: fail });
  };
  const providers: Provider[] = [
    { getTracer: fail },
    tracer({ startSpan: fail }),
    ...["setAttribute", "setStatus", "end"].map((part) => tracer({ startSpan: () => span(part) as never })),
  ];
  for (const provider of providers) {
    for (const breaksContext of [false, true]) {
      trace.setGlobalTracerProvider(provider);
      const contexts = new AsyncContexts();
      if (breaksContext) {
        contexts.with = ((_inside: Context, work: () => unknown) => {
          work();
          return fail();
        }) as AsyncContexts["with"];
      }
      context.setGlobalContextManager(contexts);
      const mock = new MockStorage();
      const storage = stack(mock, metrics({ spans: true }));
      await storage.put("a", one);
      expect(await storage.get("a")).toEqual(one);
      expect(await new Response((await storage.read("a"))?.value).bytes()).toEqual(one);
      mock.on("get", "b").fails(new StorageError("full", "Full."));
      await expect(storage.get("b")).rejects.toMatchObject({ code: "full" });
      expect(mock.calls.map(({ operation }) => operation)).toEqual(["put", "get", "read", "get"]);
      expect(metricsOf(storage)[0]?.calls).toBe(4);
      trace.disable();
      context.disable();
    }
  }
});
