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
  return (key) => matches(steps, key);
}

/** `**`, `**` with its slash, `*`, `?`, or a character that is itself. */
type Step = "**" | "**/" | "*" | "?" | (string & {});

function stepsOf(pattern: string): Step[] {
  const steps: Step[] = [];
  for (const [step] of pattern.matchAll(/(?<=^|\/)\*\*\/|\*{2,}|[^]/gu)) steps.push(step.startsWith("***") ? "**" : step);
  return steps;
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
  const characters = Array.from(key);
  while (at < characters.length) {
    const wanted = steps[step];
    const found = characters[at];
    if (wanted === "**" || wanted === "**/") {
      globstar = { step: ++step, at, whole: wanted === "**/" };
      star = undefined;
    } else if (wanted === "*") star = { step: ++step, at, whole: false };
    else if (wanted === found || (wanted === "?" && found !== "/")) {
      step++;
      at++;
    } else if (star !== undefined && characters[star.at] !== "/") {
      at = ++star.at;
      step = star.step;
    } else if (globstar !== undefined) {
      do globstar.at++;
      while (globstar.whole && globstar.at < characters.length && characters[globstar.at - 1] !== "/");
      if (globstar.whole && characters[globstar.at - 1] !== "/") return false;
      at = globstar.at;
      step = globstar.step;
      star = undefined;
    } else return false;
  }
  while (steps[step]?.startsWith("*") === true) step++;
  return step === steps.length;
}

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
