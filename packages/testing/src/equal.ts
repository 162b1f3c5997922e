/** Whether two values hold the same: bytes by their content, plain data by its parts, all else by identity. */
export function isEqual(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (left instanceof Uint8Array || right instanceof Uint8Array) {
    return left instanceof Uint8Array && right instanceof Uint8Array && equalBytes(left, right);
  }
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
  if (left instanceof Date) return Object.is(left.getTime(), (right as Date).getTime());
  if (left instanceof Map) return equalMaps(left, right as Map<unknown, unknown>);
  if (left instanceof Set)
    return left.size === (right as Set<unknown>).size && Array.from(left).every((item) => hasEqual(right as Set<unknown>, item));
  return equalProperties(left, right);
}

/** Whether two values hold the same bytes. */
function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && left.every((byte, index) => byte === right[index]);
}

function equalProperties(left: object, right: object): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isEqual(Reflect.get(left, name), Reflect.get(right, name)))
  );
}

function equalMaps(left: ReadonlyMap<unknown, unknown>, right: ReadonlyMap<unknown, unknown>): boolean {
  return left.size === right.size && Array.from(left).every(([key, value]) => right.has(key) && isEqual(value, right.get(key)));
}

function hasEqual(items: ReadonlySet<unknown>, wanted: unknown): boolean {
  return items.has(wanted) || Array.from(items).some((item) => isEqual(item, wanted));
}
