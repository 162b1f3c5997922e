import type { Bytes, CallOptions, DeleteOptions, EntryInfo, PutOptions } from "@stowage/core";
import type { BrokenStorage } from "../control.ts";
import { control } from "../control.ts";
import { Twin, turn } from "../twin.ts";

/** Rewrites keys in a way that is not reversible. */
function rewriting(rewrite: (key: string) => string): typeof Twin {
  const change = (key: string): string => (typeof key === "string" ? rewrite(key) : key);
  return class extends Twin {
    override get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
      return super.get(change(key), options);
    }
    override async head(key: string, options?: CallOptions): Promise<EntryInfo | undefined> {
      const info = await super.head(change(key), options);
      return info && { ...info, key };
    }
    override has(key: string, options?: CallOptions): Promise<boolean> {
      return super.has(change(key), options);
    }
    override async put(key: string, value: Bytes, options?: PutOptions): Promise<EntryInfo> {
      return { ...(await super.put(change(key), value, options)), key };
    }
    override delete(key: string, options?: DeleteOptions): Promise<void> {
      return super.delete(change(key), options);
    }
  };
}

class FindsInherited extends Twin {
  readonly #found: Record<string, unknown> = {};

  override async has(key: string, options?: CallOptions): Promise<boolean> {
    return (typeof key === "string" && key in this.#found) || (await super.has(key, options));
  }
}

class RefusesLate extends Twin {
  override async get(key: string, options?: CallOptions): Promise<Bytes | undefined> {
    await turn();
    return await super.get(key, options);
  }
}

export const brokenKeys: readonly BrokenStorage[] = [
  control(
    "folds case",
    '"A" and "a" are two keys',
    rewriting((key) => key.toLowerCase()),
  ),
  control(
    "trims keys",
    '"a " and "a" are two keys',
    rewriting((key) => key.trim()),
  ),
  control(
    "normalises keys",
    '"caf\\u{e9}" and "cafe\\u{301}" are two keys',
    rewriting((key) => (key.isWellFormed() ? key.normalize("NFC") : key)),
  ),
  control(
    "folds what looks alike",
    '"\\u{fb01}" and "fi" are two keys',
    rewriting((key) => (key.isWellFormed() ? key.normalize("NFKC") : key)),
  ),
  control(
    "collapses slashes",
    '"a/b" and "a//b" are two keys',
    rewriting((key) => key.replaceAll(/\/+/g, "/")),
  ),
  control(
    "drops a slash at the start",
    '"/a" and "a" are two keys',
    rewriting((key) => (key === "/" ? key : key.replace(/^\//, ""))),
  ),
  control(
    "resolves dots",
    '"a/../b" and "b" are two keys',
    rewriting((key) => key.replace(/^a\/\.\.\//, "")),
  ),
  control(
    "takes a backslash for a slash",
    '"a\\b" and "a/b" are two keys',
    rewriting((key) => key.replaceAll("\\", "/")),
  ),
  control(
    "takes a colon for a slash",
    '"a:b" and "a/b" are two keys',
    rewriting((key) => key.replaceAll(":", "/")),
  ),
  control("decodes percent signs", '"%61" and "a" are two keys', rewriting(decoded)),
  control(
    "strips what it takes for an attack",
    '"a--b" and "ab" are two keys',
    rewriting((key) => key.replaceAll("--", "")),
  ),
  control(
    "cuts long keys",
    "put refuses what is not a key",
    rewriting((key) => key.slice(0, 255)),
  ),
  control(
    "mends lone surrogates",
    "get refuses what is not a key",
    rewriting((key) => key.toWellFormed()),
  ),
  control(
    "cuts a key at NUL",
    "head refuses what is not a key",
    rewriting((key) => key.replace(/(.)\0.*$/, "$1")),
  ),
  control("finds what every object has", "names that every object has are ordinary keys", FindsInherited),
  control("refuses a key only after I/O", "get refuses what is not a key", RefusesLate),
];

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
