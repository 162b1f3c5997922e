import { StorageError } from "../contract/storage-error.ts";

/** Whether a key is of a form. */
export type KeyMatcher = (key: string) => boolean;

/**
 * Which keys a pattern means: `*` is any run of characters but `/`, `**` any run at all, `?` one character but `/`, a
 * leading or inner `**` with a slash also nothing. A pattern without a slash is about the last segment: `*.json` is every
 * key that ends so. All else is itself.
 *
 * The time grows with the square of the key at worst, whatever the pattern: a regular expression would promise less.
 */
export function keyMatcher(pattern: string): KeyMatcher {
  if (typeof pattern !== "string" || pattern === "") throw badPattern("must be non-empty text");
  if (/[[\]{}\\]/.test(pattern)) throw badPattern('knows only "*", "**" and "?"; write one pattern for each alternative');
  const steps = stepsOf(pattern.includes("/") ? pattern : `**/${pattern}`);
  return simpleMatcher(steps) ?? ((key) => matches(steps, key));
}

/** The forms that nearly all patterns have, which need no walk: `*.json` and `images/**`. */
function simpleMatcher(steps: readonly Step[]): KeyMatcher | undefined {
  const [first = "", second, third = "", ...rest] = steps;
  if (rest.length > 0) return undefined;
  if (first === "**/" && second === "*" && isText(third) && !third.includes("/")) return (key) => key.endsWith(third);
  if (isText(first) && second === "**" && third === "") return (key) => key.startsWith(first);
  return undefined;
}

const isText = (step: Step): boolean => step !== "" && step !== "?" && !step.startsWith("*");

/** `**`, `**` with its slash, `*`, `?`, or text that is itself. */
type Step = "**" | "**/" | "*" | "?" | (string & {});

function stepsOf(pattern: string): Step[] {
  const steps = pattern.match(/(?<=^|\/)\*\*\/|\*+|\?|[^*?]+/g) ?? [];
  return steps.map((step) => (step.startsWith("***") ? "**" : step));
}

/**
 * Walks both from the left. Where they part, the last `*` takes one character more, and where it may not, the last `**`
 * does: what an earlier one took is never worth another try, because a later one can take what it would have left.
 */
function matches(steps: readonly Step[], key: string): boolean {
  let step = 0;
  let at = 0;
  let star: Retry | undefined;
  let globstar: Retry | undefined;
  while (at < key.length) {
    const wanted = steps[step];
    const length = wanted === undefined ? 0 : lengthAt(wanted, key, at);
    if (wanted === "**" || wanted === "**/") {
      globstar = { step: ++step, at, whole: wanted === "**/" };
      star = undefined;
    } else if (wanted === "*") star = { step: ++step, at, whole: false };
    else if (length > 0) {
      step++;
      at += length;
    } else if (star !== undefined && key[star.at] !== "/") {
      at = ++star.at;
      step = star.step;
    } else if (globstar !== undefined) {
      const next = globstar.whole ? key.indexOf("/", globstar.at) + 1 : globstar.at + 1;
      if (next === 0) return false;
      at = globstar.at = next;
      step = globstar.step;
      star = undefined;
    } else return false;
  }
  while (steps[step]?.startsWith("*") === true) step++;
  return step === steps.length;
}

/** How much of the key a `?` or a text takes here; 0 where it does not fit. */
function lengthAt(wanted: Step, key: string, at: number): number {
  if (wanted !== "?") return key.startsWith(wanted, at) ? wanted.length : 0;
  const character = key.codePointAt(at) ?? 0;
  return character === slash ? 0 : character > 0xffff ? 2 : 1;
}

const slash = 0x2f;

/** Where to go on when what follows a `*` did not fit: the step after it, and the first character that it did not take. */
interface Retry {
  readonly step: number;
  at: number;
  /** It takes whole segments only. */
  readonly whole: boolean;
}

function badPattern(problem: string): StorageError {
  return new StorageError("invalid-option", `A key pattern ${problem}.`, { storage: "limited" });
}
