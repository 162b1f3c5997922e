import type { Connection, Reply } from "./command.ts";
import type { Names } from "./names.ts";
import { dropUnnamed, run } from "./scripts.ts";

const call = { operation: "gc", writes: true };

/** Lets chunks go that no entry names: of a process that died between two commands. Gives of how many values. */
export async function collectGarbage(connection: Connection, names: Names): Promise<number> {
  let dropped = 0;
  for (const node of connection.nodes()) {
    let cursor = "0";
    do {
      const reply = await node.scan(["SCAN", cursor, "MATCH", names.bodyPattern, "COUNT", "1000"], call);
      const [next, found] = reply as readonly [Buffer, readonly Buffer[]];
      cursor = next.toString();
      const drops = found.map((body) => {
        const name = body.toString();
        const entry = names.entryOf(name);
        return entry === undefined
          ? Promise.resolve(0)
          : run(connection, dropUnnamed, [entry, name], [], call, (answer: Reply) => answer as number);
      });
      for (const count of await Promise.all(drops)) dropped += count;
    } while (cursor !== "0");
  }
  return dropped;
}
