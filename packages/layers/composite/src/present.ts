import type { EntryInfo } from "@stowage/core";
import { oldest, versionName, versionOf } from "./versions.ts";

/**
 * What a caller sees of an entry of a replica: the metadata without the version, and the version as the etag, which is the
 * same whichever replica answers.
 */
export function present<I extends EntryInfo>(info: I): I {
  const { etag: _etag, metadata, ...rest } = info;
  const version = versionOf(info);
  const shown: Record<string, unknown> = rest;
  if (version !== oldest) shown["etag"] = version;
  const visible = withoutVersion(metadata);
  if (visible !== undefined) shown["metadata"] = visible;
  return shown as unknown as I;
}

function withoutVersion(metadata: EntryInfo["metadata"]): EntryInfo["metadata"] {
  if (metadata === undefined || !Object.hasOwn(metadata, versionName)) return metadata;
  const { [versionName]: _version, ...visible } = metadata;
  return isEmpty(visible) ? undefined : visible;
}

export function presentOrMissing<I extends EntryInfo>(info: I | undefined): I | undefined {
  return info && present(info);
}

/** Without a list of all names, which each read would make. */
function isEmpty(names: object): boolean {
  for (const name in names) if (Object.hasOwn(names, name)) return false;
  return true;
}
