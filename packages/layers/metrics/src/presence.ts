/**
 * How many calls are below one place of a stack, and for how many of them somebody above waits. Nothing says which call
 * above a call below belongs to: that would cost a context for each call. Instead at each moment no more calls count as
 * waited for than calls above are waited for themselves; what is over goes on in the background.
 *
 * So where one call above waits for one below, their time is exact; where one call above sends several at once, or leaves one
 * behind, the time below is that of the callers and not the sum of the calls, and `isApproximate` says so.
 */
export class Presence {
  /** Calls that are under way. */
  #running = 0;
  /** Those that somebody waits for. */
  #waited = 0;
  /** Calls that are waited for right above, or no limit where nothing is measured there. */
  #allowed = Number.POSITIVE_INFINITY;
  #uppers = 0;
  readonly #lowers: Presence[] = [];
  /** The sum of the moments at which a wait ended, less those at which one began. */
  #balance = 0;
  #isApproximate = false;

  /** Whether more calls were under way here than were waited for, or are counted here by several places above. */
  get isApproximate(): boolean {
    return this.#isApproximate;
  }

  /** Milliseconds of the calls that somebody waited for, those included that are under way now. */
  waitedUntil(now: number): number {
    return this.#balance + this.#waited * now;
  }

  /** A call comes in, or goes on. */
  enter(now: number): void {
    this.#running++;
    if (this.#running <= this.#allowed) this.#wait(now);
    else this.#isApproximate = true;
  }

  /** A call ends, or rests. */
  leave(now: number): void {
    this.#running--;
    if (this.#running < this.#waited) this.#unwait(now);
  }

  /** Counts what is waited for here as waited for at a place below. */
  standOn(lower: Presence, now: number): void {
    if (this.#lowers.includes(lower)) return;
    this.#lowers.push(lower);
    lower.#allow(lower.#uppers === 0 ? this.#waited : lower.#allowed + this.#waited, now);
    lower.#uppers++;
    if (lower.#uppers > 1) lower.#isApproximate = true;
  }

  /** Stops counting for the places below: this one is gone. */
  stepOff(now: number): void {
    for (const lower of this.#lowers.splice(0)) {
      lower.#uppers--;
      lower.#allow(lower.#uppers === 0 ? Number.POSITIVE_INFINITY : lower.#allowed - this.#waited, now);
    }
  }

  #wait(now: number): void {
    this.#waited++;
    this.#balance -= now;
    for (const lower of this.#lowers) lower.#allow(lower.#allowed + 1, now);
  }

  #unwait(now: number): void {
    this.#waited--;
    this.#balance += now;
    for (const lower of this.#lowers) lower.#allow(lower.#allowed - 1, now);
  }

  #allow(allowed: number, now: number): void {
    this.#allowed = allowed;
    while (this.#waited > allowed) {
      this.#isApproximate = true; // what goes on here is left behind
      this.#unwait(now);
    }
    while (this.#waited < this.#running && this.#waited < allowed) this.#wait(now);
  }
}
