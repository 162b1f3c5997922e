/** What a version of an entry is, beside its key and its bytes. */
export interface Version {
  readonly etag: string;
  readonly modifiedAt: number;
  readonly expiresAt: number | undefined;
  /** As JSON. */
  readonly metadata: string | undefined;
}

export interface Put {
  readonly type: "put";
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: Version;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: "*" | undefined;
}

export interface Remove {
  readonly type: "delete";
  readonly key: string;
  readonly ifMatch: string | undefined;
}

/** All of these, or none. */
export interface All {
  readonly type: "all";
  readonly changes: readonly (Put | Remove)[];
}

/** Removes some of the entries under a prefix that were there when it began. */
export interface Clear {
  readonly type: "clear";
  readonly prefix: string;
  /** The newest row that was there. */
  readonly newest: number;
}

/** One more chunk of a body that nobody sees yet. Chunks are told of in their order, from 0. */
export interface AddChunk {
  readonly type: "chunk";
  readonly body: number;
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** Makes a body the value of a key. */
export interface Publish extends Omit<Put, "type" | "value"> {
  readonly type: "publish";
  readonly body: number;
  readonly size: number;
}

/** Gives up a body that was not published. */
interface Discard {
  readonly type: "discard";
  readonly body: number;
}

/** What a write asks of the database, as plain data, so that a thread can be told of it. */
export type Change = Put | Remove | All | Clear | AddChunk | Publish | Discard;

/** A change that was made. */
export const done = -1;

/**
 * What became of a change: `done`; or the position, among the changes of an `all`, of the one whose condition did not hold,
 * which is 0 where there is one only; or what went wrong. A `clear` that left some entries answers 0 too.
 */
export type Outcome = number | Fault;

/** Why the database refused, as plain data. */
export interface Fault {
  readonly code:
    | "full"
    | "corrupt"
    | "unavailable"
    | "read-only"
    | "denied"
    | "too-large"
    | "internal"
    | "unsupported"
    | "conflict"
    | "closed";
  readonly message: string;
  readonly outcome: "none" | "unknown";
  readonly cause: unknown;
}
