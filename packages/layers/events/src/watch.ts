import type { AnyStorage } from "@stowage/core";
import { findLayer, StorageError } from "@stowage/core";
import type { Change } from "./changes.ts";
import { EventsStorage } from "./events.ts";
import type { WatchOptions } from "./watchers.ts";

/**
 * The changes that are made through the `events()` layer of a stack, with keys as they are there, from the first `next` on
 * (the begin of a `for await`). A reader that is too slow finds a change of the type `overflow` where some are missing;
 * writers never wait for readers. Ends when the storage is closed; an abort ends it with the signal's reason.
 *
 * ```ts
 * for await (const change of watch(users, { prefix: "team/", signal })) console.log(change.type, change.key);
 * ```
 *
 * @throws StorageError `invalid-option` for options that make no sense, and where the stack has no `events()` layer
 */
export function watch(storage: AnyStorage, options: WatchOptions = {}): AsyncIterable<Change> {
  const layer = findLayer(storage, EventsStorage);
  if (layer !== undefined) return layer.watch(options);
  throw new StorageError("invalid-option", "watch: this stack has no events() layer; put one on top of it.", { storage: storage.name });
}
