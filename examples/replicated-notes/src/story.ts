import { CompositeStorage } from "@stowage/composite";
import type { ByteStorage, Storage } from "@stowage/core";
import { findLayer, scan, StorageError } from "@stowage/core";
import type { Pulled } from "./outage.ts";

/** What a replica has; the notes are `undefined` while it cannot be reached. */
export interface Replica {
  readonly name: string;
  readonly health: string;
  readonly notes: ReadonlyMap<string, string> | undefined;
  /** Deletes that it remembers. */
  readonly tombstones: number;
}

/** Shows one chapter: what happened, and what each replica has then. */
export type Show = (title: string, happened: readonly string[], replicas: readonly Replica[]) => void;

/** Writes notes while a replica goes down and comes back, and brings the replicas together again. Gives what they have then. */
export async function tellStory(notes: Storage<string>, pulled: Pulled, show: Show): Promise<readonly Replica[]> {
  const composite = findLayer(notes, CompositeStorage);
  if (composite === undefined) throw new Error("The notes are to be on a composite; see storage.yaml.");
  const tell = async (title: string, ...happened: string[]): Promise<void> => show(title, happened, await replicasOf(composite));

  await notes.clear();
  for (const [key, text] of firstNotes) await notes.put(key, text);
  await notes.flush();
  await tell("All three replicas are up", "three notes are written");

  pulled.add("attic");
  await notes.put("shopping", "Bread, cheese, olives");
  await notes.delete("birthday");
  await notes.put("garden", "Water the lemon tree");
  await tell(
    "The attic goes down",
    "shopping is changed, birthday deleted and garden written: two replicas are enough",
    `shopping reads "${await notes.get("shopping")}", birthday reads ${await notes.get("birthday")}`,
  );

  pulled.add("shelf");
  const answer = await notes.put("garden", "Nobody will hear this").then(() => "it was accepted", sentenceOf);
  await tell("The shelf goes down as well", "garden is changed, and one replica is not enough:", answer);

  pulled.clear();
  await new Promise((resolve) => setTimeout(resolve, 150)); // the composite leaves them alone for 100 ms, see storage.yaml
  await tell("Both come back", `shopping reads "${await notes.get("shopping")}": of two answers the newer one counts`);

  const { checked, copied, deleted, complete } = await composite.repair({ rate: 500 });
  const outcome = complete ? "nothing went wrong" : "not all went well";
  await tell("Repaired", `${checked} keys looked at, ${copied} copied, ${deleted} deleted, ${outcome}`);
  return await replicasOf(composite);
}

const firstNotes = [
  ["birthday", "Ada: a book about bridges"],
  ["reading", "The Art of Doing Science"],
  ["shopping", "Bread"],
] as const;

async function replicasOf(composite: CompositeStorage): Promise<readonly Replica[]> {
  const { replicas } = composite.stats();
  return await Promise.all(replicas.map(({ name, health }, index) => replicaOf(name, health, composite.inner[index] as ByteStorage)));
}

/** Looks past the composite into one replica. */
async function replicaOf(name: string, health: string, replica: ByteStorage): Promise<Replica> {
  const notes = new Map<string, string>();
  let tombstones = 0;
  try {
    for await (const { key } of scan(replica)) {
      if (key.startsWith("stowage-deleted/")) tombstones++;
      else notes.set(key, new TextDecoder().decode(await replica.get(key)));
    }
    return { name, health, notes, tombstones };
  } catch (error) {
    if (!StorageError.is(error)) throw error;
    return { name, health, notes: undefined, tombstones };
  }
}

const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
