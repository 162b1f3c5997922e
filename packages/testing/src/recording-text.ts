import type { RecordedCall } from "./recording.ts";

/** Calls as a numbered list, for the messages of failed expectations. */
export function showCalls(calls: readonly RecordedCall[]): string {
  if (calls.length === 0) return "There were no calls.";
  return ["The calls were:", ...calls.map((call, index) => `  ${index + 1}. ${showCall(call)}`)].join("\n");
}

/** A call in one line: `put "user:1" {"name":"Ada"} with {"ttl":5000}: rejected with StorageError (unavailable)`. */
function showCall(call: RecordedCall): string {
  const parts: string[] = [call.operation];
  if (call.operations !== undefined) parts.push(call.operations.map(({ type, key }) => `${type} ${JSON.stringify(key)}`).join(", "));
  else if (call.keys.length > 0) parts.push(call.keys.map((key) => JSON.stringify(key)).join(", "));
  if (call.operation === "put" || call.operation === "write") parts.push(show(call.value));
  const options = showOptions(call.options);
  if (options !== "{}") parts.push(`with ${options}`);
  const outcome = call.outcome === "rejected" ? `rejected with ${showError(call.error)}` : call.outcome;
  return `${parts.join(" ")}: ${outcome}`;
}

/** Options without the signal, which nobody can read. */
export function showOptions(options: object | undefined): string {
  return show(Object.fromEntries(Object.entries(options ?? {}).filter(([name, value]) => name !== "signal" && value !== undefined)));
}

/** A value in one line: JSON, but bytes as their text where they are text, else in hexadecimal; long ones are cut. */
export function show(value: unknown): string {
  const text = value instanceof Uint8Array ? showBytes(value) : JSON.stringify(value, showInside);
  const line = text ?? String(value);
  return line.length <= longest ? line : `${line.slice(0, longest)}...`;
}

const longest = 200;

function showInside(this: unknown, name: string, value: unknown): unknown {
  // A Buffer has already been turned into an object by its toJSON; the original is in its place.
  const original: unknown = (this as Record<string, unknown>)[name];
  if (original instanceof Uint8Array) return showBytes(original);
  if (typeof value === "bigint" || typeof value === "function" || value === undefined) return String(value);
  return value;
}

function showBytes(bytes: Uint8Array): string {
  const start = bytes.subarray(0, longest);
  const text = new TextDecoder().decode(start);
  const readable = /^[\P{C}\n\t]*$/u.test(text) && !text.includes("\uFFFD");
  const hex = Array.from(start, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${bytes.byteLength} bytes ${readable ? JSON.stringify(text) : hex}`;
}

function showError(error: unknown): string {
  if (!(error instanceof Error)) return show(error);
  return "code" in error && typeof error.code === "string" ? `${error.name} (${error.code})` : `${error.name}: ${error.message}`;
}
