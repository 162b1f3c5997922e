/**
 * The name that was most likely meant: the same but for case, dashes and the like, or a few letters away. `undefined`
 * where none is near.
 */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  const wanted = plain(name);
  if (wanted.length > longestName) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of names) {
    const distance = editDistance(wanted, plain(candidate), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Nobody misspells longer ones, and the cost grows with the square. */
const longestName = 64;

const plain = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]/g, "");

/** Letters to insert, drop, change or swap with their neighbour; `limit` where it is at least that. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let distance = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) distance = Math.min(distance, at(before, column - 2) + 1);
      current.push(distance);
    }
    before = last;
    last = current;
  }
  return Math.min(at(last, b.length), limit);
}

const at = (row: readonly number[], index: number): number => row[index] ?? Infinity;
