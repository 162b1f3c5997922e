/** What an etag with an expiry, or one that could be taken for it, begins with. */
const mark = "until:";

/** The etag below, and when the version that it names expires. */
export interface StoredEtag {
  readonly etag: string;
  readonly expiresAt: number | undefined;
}

/**
 * The etag of a version as it is told above: with its expiry, so that a condition on a version that has expired can be
 * refused without a look at it. Where there is none, it is the one below.
 */
export function tellEtag(etag: string, expiresAt: number | undefined): string {
  return expiresAt === undefined && !etag.startsWith(mark) ? etag : `${mark}${expiresAt ?? ""}:${etag}`;
}

/** What `tellEtag` was given. */
export function parseEtag(told: string): StoredEtag {
  const end = told.startsWith(mark) ? told.indexOf(":", mark.length) : -1;
  if (end === -1) return { etag: told, expiresAt: undefined };
  const expiresAt = told.slice(mark.length, end);
  return { etag: told.slice(end + 1), expiresAt: expiresAt === "" ? undefined : Number(expiresAt) };
}
