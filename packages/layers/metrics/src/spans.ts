import type { Attributes, Context, Span, Tracer } from "@opentelemetry/api";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { OperationName } from "@stowage/core";
import { rejecting } from "@stowage/core";
import type { ErrorType, Outcome } from "./calls.ts";
import { guarded } from "./guarded.ts";
import { attributeNames, scope } from "./names.ts";
import type { PlaceName } from "./place.ts";

/** Makes a span for each call at one place. */
export class Spans {
  readonly #name: PlaceName;
  readonly #kind: SpanKind;
  #tracer: Tracer | undefined;

  /** @param isBackend the calls leave for a backend, so others may see them too */
  constructor(name: PlaceName, isBackend: boolean) {
    this.#name = name;
    this.#kind = isBackend ? SpanKind.CLIENT : SpanKind.INTERNAL;
  }

  /** Undefined where OpenTelemetry fails. */
  start(operation: OperationName): CallSpan | undefined {
    return guarded(() => {
      const { storage, layer, system } = this.#name;
      const attributes: Attributes = {
        [attributeNames.system]: system,
        [attributeNames.storage]: storage,
        [attributeNames.operation]: operation,
        [attributeNames.layer]: layer,
      };
      const around = context.active();
      this.#tracer ??= trace.getTracer(scope); // finds a provider that is set later by itself
      const span = this.#tracer.startSpan(`${operation} ${storage}`, { kind: this.#kind, attributes }, around);
      return new CallSpan(span, trace.setSpan(around, span));
    });
  }
}

/** The span of one call. Ends once. */
export class CallSpan {
  readonly #span: Span;
  readonly #context: Context;
  #hasEnded = false;

  constructor(span: Span, inside: Context) {
    this.#span = span;
    this.#context = inside;
  }

  /** Sends a call, once, so that spans that begin in it have this one for a parent. */
  run<T>(send: () => Promise<T>): Promise<T> {
    let answer: Promise<T> | undefined;
    const once = (): Promise<T> => (answer ??= rejecting(send));
    guarded(() => void context.with(this.#context, once));
    return once();
  }

  end(outcome: Outcome, error?: ErrorType): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // No message and no stack: those of foreign errors may name a key.
    if (error !== undefined) {
      guarded(() => this.#span.setAttribute(attributeNames.error, error).setStatus({ code: SpanStatusCode.ERROR, message: error }));
    }
    guarded(() => this.#span.setAttribute(attributeNames.outcome, outcome));
    guarded(() => this.#span.end());
  }
}
