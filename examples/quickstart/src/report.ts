import Table from "cli-table3";
import type { PlaceMetrics } from "@stowage/metrics";
import type { Summary } from "./job.ts";

/** What a run took, as a table; as plain lines where nobody looks. */
export function reportOf(summary: Summary, pretty: boolean = process.stdout.isTTY): string {
  const { found, bytesIn, bytesStored, runs, removed, places, indexPlaces, hitRatio, different } = summary;
  const rows: [string, string][] = [
    ["folder", found.folder],
    ["files", `${found.files.length}`],
    ["listed", `${summary.listed}`],
    ["bytes in", size(bytesIn)],
    ["bytes stored", size(bytesStored)],
    ["ratio", bytesStored === 0 ? "-" : (bytesIn / bytesStored).toFixed(2)],
    ["put latency p50, p99", latencies(summary.putLatencies)],
    ["get latency p50, p99", latencies(summary.getLatencies)],
    ["put throughput", throughput(bytesIn, found.files.length, summary.putTime)],
    ["get throughput", throughput(bytesIn, found.files.length, summary.getTime)],
    ["runs of this folder", `${runs}`],
  ];
  if (places.length > 0) rows.push(["waited for each layer of the files", places.map(timeOf(places)).join("\n")]);
  if (indexPlaces.length > 0) rows.push(["waited for each layer of the index", indexPlaces.map(timeOf(indexPlaces)).join("\n")]);
  if (hitRatio !== undefined) rows.push(["hit ratio of the index's cache", `${(100 * hitRatio).toFixed(1)} %`]);
  if (removed > 0) rows.push(["removed, gone from the folder", `${removed}`]);
  if (found.skipped.length > 0) rows.push(["skipped", found.skipped.join("\n")]);
  rows.push(["read back byte for byte", different.length === 0 ? "all the same" : `DIFFERENT: ${different.join(", ")}`]);
  if (!pretty) return rows.map(([name, value]) => `${name}: ${value.replaceAll("\n", "; ")}`).join("\n");
  const table = new Table({ style: { head: [], border: [] } });
  table.push(...rows);
  return table.toString();
}

/** What the callers of the stack waited for a part, and its share. A part whose time is an estimate has a "~". */
function timeOf(places: readonly PlaceMetrics[]): (place: PlaceMetrics) => string {
  const all = places.reduce((sum, { ownTime }) => sum + ownTime, 0);
  return ({ parts, ownTime, approximate }) =>
    `${parts.join(", ")}: ${approximate ? "~" : ""}${ownTime.toFixed(0)} ms (${((100 * ownTime) / all).toFixed(0)} %)`;
}

function latencies(values: Float64Array): string {
  const sorted = values.toSorted();
  const at = (share: number): string => `${(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2)} ms`;
  return `${at(0.5)}, ${at(0.99)}`;
}

const throughput = (bytes: number, files: number, time: number): string =>
  `${size((bytes / time) * 1000)}/s, ${Math.round((files / time) * 1000)} files/s`;

function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const unit = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
