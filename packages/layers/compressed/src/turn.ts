/** Milliseconds of synchronous work in one turn of the event loop, of all storages of the process together. */
const budget = 1;

/** Milliseconds spent in this turn. */
let spent = 0;
let scheduled = false;
const waiting: (() => void)[] = [];

/** Runs short work at once while this turn has time for it, else in one of the next turns; first come, first served. */
export function inTurn<T>(work: () => T): T | Promise<T> {
  if (waiting.length === 0 && !isOver()) return timed(work);
  return new Promise<T>((resolve, reject) => {
    waiting.push(() => {
      try {
        resolve(timed(work));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function timed<T>(work: () => T): T {
  const start = performance.now();
  try {
    return work();
  } finally {
    spent += performance.now() - start;
    if (!scheduled) schedule();
  }
}

function schedule(): void {
  scheduled = true;
  nextTurn(begin);
}

/** A new turn: what waited runs, as far as the time goes; where something ran, the next turn begins with its time again. */
function begin(): void {
  scheduled = false;
  spent = 0;
  while (!isOver()) {
    const work = waiting.shift();
    if (work === undefined) return;
    work();
  }
}

const isOver = (): boolean => spent >= budget;

/** A browser has no `setImmediate`, and its `setTimeout` waits for milliseconds; a message does not. */
function nextTurn(work: () => void): void {
  if (typeof setImmediate === "function") {
    setImmediate(work);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  const arrived = (): void => {
    port1.close();
    work();
  };
  (port1 as unknown as EventTarget).addEventListener("message", arrived, { once: true });
  port1.start();
  port2.postMessage(0);
}
