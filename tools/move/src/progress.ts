import { Presets, SingleBar } from "cli-progress";

export interface Progress {
  /** What is done by now, of the total; and the bytes of it, where they are counted. */
  show(done: number, bytes?: number): void;
  stop(): void;
}

/** Starts to tell how far a step is; the total is left out where nobody knows it. */
export type StartProgress = (title: string, total?: number) => Progress;

/** A line that is rewritten on a terminal, lines elsewhere; on the error output, so that lists can be piped. */
export const startProgress: StartProgress = (title, total) => (process.stderr.isTTY ? onTerminal(title, total) : inLines(title, total));

function onTerminal(title: string, total: number | undefined): Progress {
  const rest = total === undefined ? "{value} entries" : "{bar} {percentage}%  {value}/{total} entries{size}  {eta_formatted} left";
  const bar = new SingleBar({ format: `${title}  ${rest}`, hideCursor: true }, Presets.shades_classic);
  bar.start(total ?? 0, 0, { size: "" });
  return { show: (done, bytes) => bar.update(done, { size: sizeOf(bytes) }), stop: () => bar.stop() };
}

/** A line for each twentieth, or for 10,000 entries where the total is not known. */
function inLines(title: string, total: number | undefined): Progress {
  const step = total === undefined ? 10_000 : Math.max(1, Math.ceil(total / 20));
  let next = step;
  return {
    show(done, bytes) {
      if (done < next) return;
      next = done - (done % step) + step;
      console.error(`${title}: ${done}${total === undefined ? "" : ` of ${total}`} entries${sizeOf(bytes)}`);
    },
    stop: () => {},
  };
}

const sizeOf = (bytes = 0): string => (bytes === 0 ? "" : `, ${(bytes / 1e6).toFixed(1)} MB`);
