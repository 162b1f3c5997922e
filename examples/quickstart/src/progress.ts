import { Presets, SingleBar } from "cli-progress";

export interface Progress {
  advance(): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere one line when the step is done. */
export function startProgress(title: string, total: number): Progress {
  if (!process.stdout.isTTY) return { advance: () => {}, stop: () => console.log(`${title}: ${total} files`) };
  const bar = new SingleBar(
    { format: `${title}  {bar} {percentage}%  {value}/{total} files  {eta_formatted} left`, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  return { advance: () => bar.increment(), stop: () => bar.stop() };
}
