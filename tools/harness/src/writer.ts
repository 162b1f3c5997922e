import { writeSync } from "node:fs";
import { seeded } from "./random.ts";
import type { Target } from "./target.ts";
import { openTarget } from "./target.ts";
import { makeValue } from "./value.ts";

/** Writes for ever, some keys at once but each in order, and says of every operation when it began and when it was acknowledged. */
export interface WriterOptions {
  readonly target: Target;
  readonly directory: string;
  readonly seed: number;
  readonly keys: readonly string[];
  /** Bytes of the largest value. */
  readonly largest: number;
  /** Sequence number of the first write. */
  readonly first: number;
}

const options = JSON.parse(process.argv[2] as string) as WriterOptions;
const storage = openTarget(options.target, options.directory);
const random = seeded(options.seed);
let sequence = options.first;
const say = (line: string): void => void writeSync(1, `${line}\n`);

await Promise.all(options.keys.map((key) => writeForEver(key)));

async function writeForEver(key: string): Promise<never> {
  for (;;) {
    const number = sequence++;
    const kind = random();
    if (kind < 0.1) {
      say(`start ${number} ${key} delete`);
      await storage.delete(key);
    } else {
      const value = makeValue(number, Math.floor(random() ** 3 * options.largest));
      say(`start ${number} ${key} put`);
      if (kind < 0.3) await storage.write(key, new Blob([value]));
      else if (kind < 0.4) await storage.batch([{ type: "put", key, value }]);
      else if (kind < 0.6 && storage.capabilities.conditions.length > 0) await storage.put(key, value, await conditionFor(key));
      else await storage.put(key, value);
    }
    say(`ack ${number} ${key}`);
  }
}

/** A condition that holds, since nobody else writes this key. */
async function conditionFor(key: string): Promise<{ ifMatch: string } | { ifNoneMatch: "*" }> {
  const etag = (await storage.head(key))?.etag;
  return etag === undefined ? { ifNoneMatch: "*" } : { ifMatch: etag };
}
