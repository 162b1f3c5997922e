import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";

/** One target: what was measured against what was promised. */
export interface Check {
  readonly workload: string;
  readonly name: string;
  readonly measured: number;
  readonly bound: "at least" | "at most";
  readonly target: number;
  readonly unit: string;
  readonly met: boolean;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Collects tables and checks, and prints them as Markdown while they come. */
export class Report {
  readonly checks: Check[] = [];
  readonly tables: Table[] = [];
  readonly #print: (text: string) => void;
  #workload = "";

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  begin(workload: string, about: string): void {
    this.#workload = workload;
    this.#print(`\n## ${workload}\n\n${about}`);
  }

  table(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): void {
    this.tables.push({ title, columns, rows });
    this.#print(`\n### ${title}\n\n${markdown(columns, rows)}`);
  }

  atLeast(name: string, measured: number, target: number, unit = ""): void {
    this.#check(name, measured, "at least", target, unit);
  }

  atMost(name: string, measured: number, target: number, unit = ""): void {
    this.#check(name, measured, "at most", target, unit);
  }

  /** All targets of the run as one table. */
  summary(): void {
    const rows = this.checks.map(({ workload, name, measured, bound, target, unit, met }) => [
      workload,
      name,
      `${figure(measured)}${unit}`,
      `${bound} ${figure(target)}${unit}`,
      met ? "met" : "**missed**",
    ]);
    this.#print(`\n## Targets\n\n${markdown(["workload", "target", "measured", "wanted", ""], rows, 2)}`);
    const missed = this.checks.filter(({ met }) => !met).length;
    this.#print(`\n${this.checks.length - missed} met, ${missed} missed`);
  }

  #check(name: string, measured: number, bound: Check["bound"], target: number, unit: string): void {
    const met = bound === "at least" ? measured >= target : measured <= target;
    this.checks.push({ workload: this.#workload, name, measured, bound, target, unit, met });
  }
}

/** Where the figures come from, and how busy it was: figures of a busy machine are worth little. */
export function machine(): string {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}, ${memory} GiB, ${platform()} ${release()} ${arch()}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}, load ${figure(loadavg()[0]!)} at the start`;
}

/** A number with three digits that matter. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${(value / 1e3).toPrecision(3)}k`;
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Operations in a second. */
export const perSecond = (nanoseconds: number): string => figure(1e9 / nanoseconds);

/** The first columns are words, which begin at the left; the others are figures. */
function markdown(columns: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const widths = columns.map((column, index) => Math.max(3, column.length, ...rows.map((row) => (row[index] ?? "").length)));
  const pad = (text: string, index: number): string => (index < words ? text.padEnd(widths[index]!) : text.padStart(widths[index]!));
  const line = (cells: readonly string[]): string => `| ${columns.map((_, index) => pad(cells[index] ?? "", index)).join(" | ")} |`;
  const rule = `| ${widths.map((width, index) => (index < words ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(columns), rule, ...rows.map(line)].join("\n");
}
