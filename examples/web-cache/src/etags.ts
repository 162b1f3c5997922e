/** What a storage calls a version, as HTTP writes it. */
export function quoted(etag: string): string {
  return `"${encodeURIComponent(etag)}"`;
}

/** Whether a version is one of those in an `If-None-Match`. */
export function isNamed(etag: string | undefined, header: string | undefined): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return etag !== undefined && header.split(",").some((one) => one.trim().replace(/^W\//, "") === quoted(etag));
}

/** What a write may replace, as the storage understands it: `If-Match` with one version, or `If-None-Match: *`. */
export function conditionOf(headers: Headers): { readonly ifMatch?: string; readonly ifNoneMatch?: "*" } {
  const match = headers.get("if-match")?.trim();
  const none = headers.get("if-none-match")?.trim();
  return {
    ...(match !== undefined && { ifMatch: versionIn(match) }),
    ...(none !== undefined && { ifNoneMatch: none as "*" }), // anything but "*" is refused by the storage
  };
}

/** The version inside the quotes; what is none is no version of anything, so the storage finds that it does not match. */
function versionIn(header: string): string {
  try {
    return decodeURIComponent(header.replace(/^"(.*)"$/, "$1"));
  } catch {
    return header;
  }
}
