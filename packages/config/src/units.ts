/** How a text reads as a number of something: the value, or what is wrong with it. */
export type Reading = { readonly value: number } | { readonly wrong: string };

const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const sizeUnits = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

/** `500ms`, `30s`, `5m`, `2h`, `90d` as milliseconds. */
export function readDuration(text: string): Reading {
  return readUnits(text, durationUnits, "a duration such as 500ms, 30s, 5m, 2h or 90d");
}

/** `64MB`, `4KiB`, `1.5GB` or a bare number as bytes. */
export function readSize(text: string): Reading {
  return readUnits(text, { "": 1, ...sizeUnits }, "a size such as 4096, 64MB or 4KiB");
}

/** `10_000` as a number: YAML 1.2 has it as text. */
export function readNumber(text: string): Reading {
  return readUnits(text, { "": 1 }, "a number");
}

/** Milliseconds in the largest unit that keeps them whole. */
export function formatDuration(duration: number): string {
  return formatUnits(duration, durationUnits, "ms");
}

/** Bytes in the largest unit that keeps them whole. */
export function formatSize(size: number): string {
  const { B, KB: _, ...units } = sizeUnits;
  return size < 1_000 ? String(size) : formatUnits(size, { B, ...units }, "B");
}

/** For editors: what a duration looks like. */
export const durationPattern: string = String.raw`^[0-9]+(_[0-9]+)*(\.[0-9]+)?(ms|s|m|h|d)$`;

/** For editors: what a size with a unit, or a long number, looks like. */
export const sizePattern: string = String.raw`^[0-9]+(_[0-9]+)*(\.[0-9]+)?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$`;

/** For editors: what a long number looks like. */
export const numberPattern: string = String.raw`^-?[0-9]+(_[0-9]+)*(\.[0-9]+)?$`;

function readUnits(text: string, units: Readonly<Record<string, number>>, expected: string): Reading {
  const match = /^(-?\d+(?:_\d+)*(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  if (match === null) return { wrong: `expected ${expected}.` };
  const [, digits = "", unit = ""] = match;
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) return { wrong: wrongUnit(expected, digits, unit, Object.keys(units)) };
  // The factors are exact, the product of a fraction may not be: 1.1s is 1100 ms, not 1100.0000000000002.
  const product = Number(digits.replaceAll("_", "")) * factor;
  return { value: digits.includes(".") && factor !== 1 ? Number(product.toPrecision(15)) : product };
}

function wrongUnit(expected: string, digits: string, unit: string, units: readonly string[]): string {
  if (unit === "") return `expected ${expected}: say the unit.`;
  const meant = units.find((name) => name !== "" && (name.toLowerCase() === unit.toLowerCase() || longNames[name]?.test(unit)));
  return meant === undefined || digits.length > 20 ? `expected ${expected}.` : `expected ${expected}; did you mean ${digits}${meant}?`;
}

const longNames: Readonly<Record<string, RegExp>> = {
  ms: /^(msecs?|millis|milliseconds?)$/i,
  s: /^(secs?|seconds?)$/i,
  m: /^(mins?|minutes?)$/i,
  h: /^(hrs?|hours?)$/i,
  d: /^days?$/i,
  MB: /^(m|megabytes?)$/i,
  KB: /^(k|kilobytes?)$/i,
  GB: /^(g|gigabytes?)$/i,
};

function formatUnits(value: number, units: Readonly<Record<string, number>>, smallest: string): string {
  let best = smallest;
  for (const [unit, factor] of Object.entries(units)) {
    if (value % factor === 0 && value !== 0 && factor > (units[best] as number)) best = unit;
  }
  return `${value / (units[best] as number)}${best}`;
}
