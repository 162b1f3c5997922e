import type { ByteStorage } from "@stowage/core";
import { readValue } from "./value.ts";

/** What a writer said of one key: the last operation that was acknowledged, and the one that was under way. */
interface KeyHistory {
  acknowledged: Operation | undefined;
  running: Operation | undefined;
}

interface Operation {
  readonly sequence: number;
  readonly kind: string;
}

export interface Verdict {
  /** Keys that hold neither what was acknowledged last nor what was under way. */
  readonly lost: string[];
  /** Keys whose value is not whole. */
  readonly torn: string[];
}

/** Everything that was ever said about a storage, over the lives of its writers. */
export class History {
  readonly #keys = new Map<string, KeyHistory>();
  highest = 0;
  acknowledgements = 0;

  add(lines: readonly string[]): void {
    for (const line of lines) {
      const [word, number, key, kind] = line.split(" ");
      const sequence = Number(number);
      this.highest = Math.max(this.highest, sequence);
      const known = this.#keys.get(key as string) ?? { acknowledged: undefined, running: undefined };
      this.#keys.set(key as string, known);
      if (word === "start") known.running = { sequence, kind: kind as string };
      else if (word === "ack" && known.running?.sequence === sequence) {
        this.acknowledgements++;
        known.acknowledged = known.running;
        known.running = undefined;
      }
    }
  }

  /** Holds a storage against what was said. What it finds becomes what is known. */
  async check(storage: ByteStorage): Promise<Verdict> {
    const verdict: Verdict = { lost: [], torn: [] };
    for (const [key, known] of this.#keys) {
      const value = await storage.get(key);
      try {
        const found = value === undefined ? undefined : readValue(value);
        const state = this.#explain(known, found);
        if (state === undefined) verdict.lost.push(`${key}: found ${found ?? "nothing"}, expected ${JSON.stringify(known)}`);
        else known.acknowledged = state;
      } catch (error) {
        verdict.torn.push(`${key}: ${(error as Error).message}`);
      }
      known.running = undefined;
    }
    return verdict;
  }

  /** The operation that left what was found, if one may have. */
  #explain({ acknowledged, running }: KeyHistory, found: number | undefined): Operation | undefined {
    const nothing: Operation = { sequence: 0, kind: "delete" };
    for (const operation of [acknowledged ?? nothing, running]) {
      if (operation !== undefined && (operation.kind === "delete" ? found === undefined : found === operation.sequence)) return operation;
    }
    return undefined;
  }
}
