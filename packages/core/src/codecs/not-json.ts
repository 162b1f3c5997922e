/** What of a value JSON cannot hold or would change in silence, and where; `undefined` where it holds all of it. */
export function whyNotJson(value: unknown): string | undefined {
  try {
    return inspect(value, "", new Set());
  } catch (error) {
    if (error instanceof RangeError) return "it is nested too deeply";
    throw error;
  }
}

function inspect(value: unknown, path: string, above: Set<object>): string | undefined {
  const at = path === "" ? "it is" : `at ${path} is`;
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : `${at} ${value}`;
    case "undefined":
      return `${at} undefined`;
    case "function":
    case "symbol":
      return `${at} a ${typeof value}`;
    case "bigint":
      return hasToJson(BigInt.prototype) ? undefined : `${at} a bigint`;
    case "object":
      return value === null ? undefined : inspectObject(value, path, at, above);
    default:
      return undefined;
  }
}

function inspectObject(value: object, path: string, at: string, above: Set<object>): string | undefined {
  if (above.has(value)) return `${at} an object that contains itself`;
  if (value instanceof Date && Number.isNaN(value.getTime())) return `${at} an invalid date`;
  if (ArrayBuffer.isView(value)) return `${at} a ${value.constructor.name}`; // also a Buffer, which has a JSON form that does not come back
  if (hasToJson(value)) return undefined; // it says itself what it becomes; what that hides cannot be told from outside
  if (!isPlain(value)) return `${at} a ${value.constructor?.name ?? "special object"}`;
  above.add(value);
  const problem = Array.isArray(value) ? inspectArray(value, path, above) : inspectProperties(value, path, above);
  above.delete(value);
  return problem;
}

function inspectArray(value: readonly unknown[], path: string, above: Set<object>): string | undefined {
  for (let index = 0; index < value.length; index++) {
    const problem = inspect(value[index], `${path}[${index}]`, above);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function inspectProperties(value: object, path: string, above: Set<object>): string | undefined {
  for (const [name, property] of Object.entries(value)) {
    if (property === undefined || typeof property === "function" || typeof property === "symbol") continue; // left out, as documented
    const problem = inspect(property, path === "" ? name : `${path}.${name}`, above);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Data whose properties JSON keeps: not a Map, a Set, an Error, a RegExp, a Promise or bytes, whose content it loses. */
function isPlain(value: object): boolean {
  const kind = Object.prototype.toString.call(value);
  return kind === "[object Object]" || kind === "[object Array]" || kind === "[object Arguments]" || isBoxed(value);
}

const isBoxed = (value: object): boolean => value instanceof String || value instanceof Number || value instanceof Boolean;

const hasToJson = (value: object): boolean => "toJSON" in value && typeof value.toJSON === "function";
