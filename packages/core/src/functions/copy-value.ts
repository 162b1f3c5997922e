import { copyBytes } from "../contract/bytes.ts";
import { StorageError } from "../contract/storage-error.ts";

/** From this depth on, a value may be a circle: what was copied is remembered then. */
const deep = 100;

/**
 * A copy that shares nothing with the value, so that changes to the one never show in the other.
 *
 * Takes plain data: primitives, plain objects, arrays, bytes (any `Uint8Array` becomes a plain one), Date, Map, Set and
 * whatever else `structuredClone` knows. A function, a symbol or an instance of a class is `invalid-value`, because its
 * copy would be something else. Properties named by symbols are left out. An object that occurs twice in a value is
 * copied twice, unless the value has circles.
 *
 * @throws StorageError `invalid-value`
 */
export function copyValue<T>(value: T): T {
  if (isPrimitive(value)) return value;
  try {
    return copyObject(value as object, 0, undefined) as T;
  } catch (error) {
    if (error !== tooDeep) throw error;
    return copyCircular(value as object) as T;
  }
}

type Copied = Map<object, object>;

/** Thrown where a value that may be a circle has to be copied again from the start. */
const tooDeep: unique symbol = Symbol("too deep");

function copyCircular(value: object): object {
  try {
    return copyObject(value, 0, new Map());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StorageError("invalid-value", "The value is nested too deeply to be copied.");
  }
}

function copyObject(value: object, depth: number, copied: Copied | undefined): object {
  if (copied !== undefined) {
    const known = copied.get(value);
    if (known !== undefined) return known;
  } else if (depth > deep) throw tooDeep;
  if (Array.isArray(value)) return copyArray(value, depth, copied);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return copyProperties({ ...value }, value, depth, copied);
  if (value instanceof Uint8Array) return remember(value, copyBytes(value), copied);
  if (prototype === null) return copyProperties(Object.assign(Object.create(null) as object, value), value, depth, copied);
  return copySpecial(value, depth, copied);
}

/** Takes a shallow copy and gives it copies of the objects inside. */
function copyProperties(copy: object, value: object, depth: number, copied: Copied | undefined): object {
  copied?.set(value, copy);
  const properties = copy as Record<string, unknown>;
  for (const name of Object.keys(copy)) {
    const property = properties[name];
    // An own "__proto__" is set as the property that it is, because the shallow copy already has it.
    if (!isPrimitive(property)) properties[name] = copyObject(property as object, depth + 1, copied);
  }
  for (const name of Object.getOwnPropertySymbols(copy)) Reflect.deleteProperty(copy, name);
  return copy;
}

function copyArray(value: readonly unknown[], depth: number, copied: Copied | undefined): object {
  const copy = value.slice();
  copied?.set(value, copy);
  for (let index = 0; index < copy.length; index++) {
    const element = copy[index];
    if (!isPrimitive(element)) copy[index] = copyObject(element as object, depth + 1, copied);
  }
  return copy;
}

function copySpecial(value: object, depth: number, copied: Copied | undefined): object {
  if (value instanceof Map) {
    const copy = remember(value, new Map<unknown, unknown>(), copied);
    for (const [key, entry] of value) copy.set(copyInside(key, depth, copied), copyInside(entry, depth, copied));
    return copy;
  }
  if (value instanceof Set) {
    const copy = remember(value, new Set<unknown>(), copied);
    for (const member of value) copy.add(copyInside(member, depth, copied));
    return copy;
  }
  if (Object.prototype.toString.call(value) !== "[object Object]") return remember(value, cloneForeign(value), copied);
  // A plain object of another realm has a prototype that has none.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Object.getPrototypeOf(prototype) === null) return copyProperties({ ...value }, value, depth, copied);
  throw uncopyable(`an instance of ${value.constructor?.name ?? "a class"}`);
}

const copyInside = (value: unknown, depth: number, copied: Copied | undefined): unknown =>
  isPrimitive(value) ? value : copyObject(value as object, depth + 1, copied);

function cloneForeign(value: object): object {
  if (value instanceof Date) return new Date(value.getTime());
  try {
    return structuredClone(value);
  } catch {
    throw uncopyable(`a ${value.constructor?.name ?? typeof value}`);
  }
}

function remember<T extends object>(value: object, copy: T, copied: Copied | undefined): T {
  copied?.set(value, copy);
  return copy;
}

/** Whether a value needs no copy. Refuses what cannot have one. */
function isPrimitive(value: unknown): boolean {
  switch (typeof value) {
    case "object":
      return value === null;
    case "function":
    case "symbol":
      throw uncopyable(`a ${typeof value}`);
    default:
      return true;
  }
}

function uncopyable(what: string): StorageError {
  return new StorageError("invalid-value", `Only plain data can be copied; the value is or holds ${what}.`);
}
