import type { Bytes, Capabilities, EntryInfo, PutOptions } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin } from "../twin.ts";

/** Changes the times that it is given. */
function changing(change: (options: PutOptions, now: number) => PutOptions): typeof Twin {
  return class extends Twin {
    override async put(key: string, value: Bytes, options: PutOptions = {}): Promise<EntryInfo> {
      return await super.put(key, value, change(options, this.clock.now()));
    }
  };
}

const isTime = (time: unknown): time is number => typeof time === "number" && Number.isFinite(time) && time > 0;

class KeepsAnOldExpiry extends Twin {
  override async put(key: string, value: Bytes, options: PutOptions = {}): Promise<EntryInfo> {
    const { ttl, expiresAt } = options;
    const old = ttl === undefined && expiresAt === undefined && key !== "" ? await super.head(key).catch(() => undefined) : undefined;
    return await super.put(key, value, { ...options, ...(old?.expiresAt !== undefined && { expiresAt: old.expiresAt }) });
  }
}

class RenewsOnRead extends Twin {
  override async get(key: string): Promise<Bytes | undefined> {
    const [value, info] = [await super.get(key), await super.head(key)];
    if (value !== undefined && info?.expiresAt !== undefined) await super.put(key, value, { expiresAt: info.expiresAt + 25 });
    return value;
  }
}

class SaysItExpires extends Twin {
  override get capabilities(): Capabilities {
    return { ...super.capabilities, ttl: "native" };
  }
  override put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
    return super.put(key, value, { ...options, ttl: undefined, expiresAt: undefined });
  }
}

class TellsNoExpiry extends Twin {
  override async head(key: string): Promise<EntryInfo | undefined> {
    const info = await super.head(key);
    return info && { ...info, expiresAt: undefined as never };
  }
}

export const brokenExpiry: readonly BrokenStorage[] = [
  control("expires late, in whole seconds", "get finds an entry until its ttl ends, and not from then on", changing(inSeconds)),
  control("expires one millisecond early", "head finds an entry until its ttl ends, and not from then on", changing(early)),
  control("loses long times in a timer", "a ttl of a hundred years works", changing(inATimer)),
  control("takes a ttl of 0 for none", "a ttl that is no finite positive number is refused", changing(zeroIsNone)),
  control("prefers ttl where both are given", "ttl and expiresAt together are refused", changing(prefersTtl)),
  control("takes expiresAt for seconds", "an entry is there until the moment of expiresAt, and gone at it", changing(secondsSinceEpoch)),
  control("keeps the old expiry", "a put without ttl takes the end away", KeepsAnOldExpiry),
  control("renews an entry when it is read", "reading an entry does not prolong it", RenewsOnRead),
  control("says that it expires entries, and does not", "has finds an entry until its ttl ends, and not from then on", SaysItExpires),
  control("does not tell when an entry ends", "the end of an entry is told", TellsNoExpiry),
];

function inSeconds(options: PutOptions): PutOptions {
  return isTime(options.ttl) ? { ...options, ttl: Math.ceil(options.ttl / 1000) * 1000 } : options;
}

function early(options: PutOptions): PutOptions {
  return isTime(options.ttl) && options.ttl > 1 ? { ...options, ttl: options.ttl - 1 } : options;
}

function inATimer(options: PutOptions): PutOptions {
  return isTime(options.ttl) && options.ttl > 2 ** 31 - 1 ? { ...options, ttl: 1 } : options;
}

function zeroIsNone(options: PutOptions): PutOptions {
  return { ...options, ttl: options.ttl || undefined };
}

function prefersTtl(options: PutOptions): PutOptions {
  return options.ttl === undefined ? options : { ...options, expiresAt: undefined };
}

function secondsSinceEpoch(options: PutOptions): PutOptions {
  return isTime(options.expiresAt) ? { ...options, expiresAt: options.expiresAt * 1000 } : options;
}
