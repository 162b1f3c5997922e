/** What the clients did. */
interface Counts {
  get: number;
  put: number;
  delete: number;
  /** Reads that were answered with 304. */
  same: number;
}

export interface Load {
  readonly url: string;
  readonly seed: number;
  readonly clients: number;
  readonly requestsPerClient: number;
}

export interface LoadResult {
  readonly counts: Counts;
  /** Answers that should not have been. */
  readonly problems: readonly string[];
}

/** What is known of one key, which one client writes and all read. */
interface Known {
  /** The last write that was acknowledged. */
  acknowledged: number;
  /** Writes that deleted. */
  readonly deletes: Set<number>;
  /** The write that made each version. */
  readonly versions: Map<string, number>;
  /** The last version that anybody saw. */
  etag: string | undefined;
}

const newKnown = (): Known => ({ acknowledged: 0, deletes: new Set([0]), versions: new Map(), etag: undefined });

/** Keys that each client writes, and nobody else. */
const keysPerClient = 2;

/** Clients that read and write notes at once, and look at each answer: none may be an error or older than what was acknowledged. */
export async function runClients({ url, seed, clients, requestsPerClient }: Load): Promise<LoadResult> {
  const counts: Counts = { get: 0, put: 0, delete: 0, same: 0 };
  const keys = clients * keysPerClient;
  const known = Array.from({ length: keys }, newKnown);
  const problems: string[] = [];

  const write = async (key: number, isDelete: boolean): Promise<void> => {
    const state = known[key] as Known;
    const number = state.acknowledged + 1;
    if (isDelete) {
      counts.delete++;
      state.deletes.add(number);
      const { status } = await fetch(`${url}/notes/${key}`, { method: "DELETE" });
      if (status !== 204) problems.push(`DELETE answered ${status}`);
    } else {
      counts.put++;
      const { status, headers } = await fetch(`${url}/notes/${key}`, { method: "PUT", body: JSON.stringify({ number }) });
      state.versions.set(headers.get("etag") ?? "", number);
      if (status !== 204) problems.push(`PUT answered ${status}`);
    }
    state.acknowledged = number;
  };

  const read = async (key: number, isConditional: boolean): Promise<void> => {
    counts.get++;
    const state = known[key] as Known;
    const least = state.acknowledged;
    const asked = isConditional ? state.etag : undefined;
    const answer = await fetch(`${url}/notes/${key}`, { headers: asked === undefined ? {} : { "if-none-match": asked } });
    const seen = await writesSeen(answer, state, asked);
    if (answer.status === 304) counts.same++;
    if (!seen.some((number) => number >= least)) problems.push(`GET answered ${answer.status} of ${seen.join()} after ${least}`);
  };

  const runClient = async (client: number): Promise<void> => {
    const random = seeded(seed + client);
    const ownKey = (): number => client + clients * Math.floor(random() * keysPerClient);
    const anyKey = (): number => Math.floor(keys * random() ** 3); // some are wanted more than others
    let written: number | undefined;
    for (let number = 0; number < requestsPerClient; number++) {
      const isWrite = written === undefined && random() < 0.08;
      if (!isWrite) await read(written ?? anyKey(), random() < 0.5); // what was written is read back at once
      written = isWrite ? ownKey() : undefined;
      if (written !== undefined) await write(written, random() < 0.1);
    }
  };

  await Promise.all(Array.from({ length: clients }, (_, client) => runClient(client)));
  return { counts, problems };
}

/** The writes that an answer may show. */
async function writesSeen(answer: Response, state: Known, asked: string | undefined): Promise<number[]> {
  if (answer.status === 304) return [state.versions.get(asked ?? "") ?? -1];
  const body = (await answer.json()) as { readonly number: number };
  if (answer.status === 404) return [...state.deletes];
  const etag = answer.headers.get("etag");
  if (answer.status !== 200 || etag === null) return [];
  state.versions.set(etag, body.number);
  state.etag = etag;
  return [body.number];
}

/** Numbers from 0 up to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
