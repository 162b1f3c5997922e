import type { AnyStorage } from "@stowage/core";
import { borrowed, json, limited, prefixed, readOnly, stack } from "@stowage/core";
import { compressed } from "@stowage/compressed";
import { memoryStorage } from "@stowage/memory";
import { retry } from "@stowage/retry";
import { describe, expect, test, vi } from "vitest";
import { fake, fakeBackend, fakePlugin } from "../../test/fakes.ts";
import { parseStorages } from "../load.ts";
import { official } from "../official.ts";
import { Registry } from "../registry.ts";
import { lint } from "./lint.ts";
import manifest from "../../package.json" with { type: "json" };
import type { FindingCode, Severity } from "./rules.ts";

type AnyPart = (inner: AnyStorage) => AnyStorage;

/** A stack by hand: the compiler would refuse some of them. */
const on = (backend: AnyStorage, ...layers: readonly unknown[]): AnyStorage =>
  (layers as AnyPart[]).reduce((inner, layer) => layer(inner), backend);

const encrypted = fake("encrypted");
const envelope = fake("envelope");
const cached = fake("cached");
const metrics = fake("metrics");
const disk = (directory = "/a"): AnyStorage => fakeBackend("file", { durability: "power", shared: true }, { directory });

/** For each finding: stacks that have it, with the better order, and stacks that are nearly the same and have none. */
const cases: Record<FindingCode, { severity: Severity; bad: () => AnyStorage[]; better: string[]; good: () => AnyStorage[] }> = {
  "compression-below-encryption": {
    severity: "error",
    bad: () => [on(memoryStorage(), compressed(), encrypted), on(memoryStorage(), compressed(), readOnly(), encrypted)],
    better: ["memory", "encrypted", "compressed"],
    good: () => [on(memoryStorage(), encrypted, compressed()), on(memoryStorage(), compressed())],
  },
  "compression-below-envelope": {
    severity: "warning",
    bad: () => [on(memoryStorage(), compressed(), envelope)],
    better: ["memory", "envelope", "compressed"],
    good: () => [on(memoryStorage(), envelope, compressed())],
  },
  "envelope-below-encryption": {
    severity: "warning",
    bad: () => [on(memoryStorage(), envelope, encrypted)],
    better: ["memory", "encrypted", "envelope"],
    good: () => [on(memoryStorage(), encrypted, envelope)],
  },
  "rekey-below-encryption": {
    severity: "warning",
    bad: () => [on(memoryStorage(), prefixed("a/"), encrypted)],
    better: ["memory", "encrypted", "prefixed"],
    good: () => [on(memoryStorage(), encrypted, prefixed("a/")), on(memoryStorage(), prefixed("a/"), compressed())],
  },
  "two-compressions": {
    severity: "warning",
    bad: () => [on(memoryStorage(), compressed(), compressed())],
    better: ["memory", "compressed"],
    good: () => [on(memoryStorage(), compressed(), json())],
  },
  "two-retries": {
    severity: "warning",
    bad: () => [on(memoryStorage(), retry(), retry()), on(memoryStorage(), retry(), borrowed(), readOnly(), retry())],
    better: ["memory", "retry"],
    good: () => [
      on(memoryStorage(), retry()),
      on(memoryStorage(), cached),
      fake("replicated", {}, on(memoryStorage(), retry()))(on(memoryStorage(), retry())),
    ],
  },
  "retry-above-transform": {
    severity: "warning",
    bad: () => [
      on(memoryStorage(), json(), retry()),
      on(memoryStorage(), compressed(), retry()),
      on(memoryStorage(), encrypted, retry()),
      on(memoryStorage(), envelope, retry()),
    ],
    better: ["memory", "retry", "json"],
    good: () => [on(memoryStorage(), retry(), encrypted, envelope, compressed(), json())],
  },
  "retry-above-cache": {
    severity: "warning",
    bad: () => [on(memoryStorage(), cached, retry())],
    better: ["memory", "retry", "cached"],
    good: () => [on(memoryStorage(), retry(), cached)],
  },
  "cache-below-transform": {
    severity: "warning",
    bad: () => [
      on(memoryStorage(), cached, json()),
      on(memoryStorage(), cached, compressed()),
      on(memoryStorage(), fake("cached", {}, memoryStorage()), encrypted),
    ],
    better: ["memory", "json", "cached"],
    good: () => [on(memoryStorage(), json(), cached), on(memoryStorage(), fake("cached", {}, disk()), encrypted)],
  },
  "metrics-below-cache": {
    severity: "warning",
    bad: () => [on(memoryStorage(), metrics, cached)],
    better: ["memory", "cached", "metrics"],
    good: () => [on(memoryStorage(), cached, metrics), on(memoryStorage(), metrics, cached, metrics)],
  },
  "limit-below-transform": {
    severity: "warning",
    bad: () => [on(memoryStorage(), limited({ maxSize: 5 }), compressed()), on(memoryStorage(), limited({ maxSize: 5 }), encrypted)],
    better: ["memory", "compressed", "limited"],
    good: () => [
      on(memoryStorage(), compressed(), limited({ maxSize: 5 })),
      on(memoryStorage(), limited({ timeout: 5 }), compressed()),
      on(memoryStorage(), limited({ maxSize: 5 }), json()),
    ],
  },
  "cache-of-itself": {
    severity: "error",
    bad: () => {
      const backend = memoryStorage();
      return [
        on(backend, fake("cached", {}, backend)),
        on(backend, json(), fake("cached", {}, on(backend, borrowed(), json()))),
        on(disk("/a"), fake("cached", {}, disk("/a"))),
      ];
    },
    better: ["memory", "cached"],
    good: () => [on(memoryStorage(), fake("cached", {}, memoryStorage())), on(disk("/a"), fake("cached", {}, disk("/b")))],
  },
  "plaintext-leaves": {
    severity: "error",
    bad: () => [
      on(memoryStorage(), encrypted, fake("cached", {}, disk())),
      on(memoryStorage(), encrypted, json(), fake("cached", {}, on(fakeBackend("redis", { shared: true }), json()))),
      on(memoryStorage(), encrypted, fake("behind", {}, disk())),
    ],
    better: ["memory", "encrypted", "cached"],
    good: () => [
      on(memoryStorage(), encrypted, cached),
      on(memoryStorage(), encrypted, fake("cached", {}, memoryStorage())),
      on(memoryStorage(), encrypted, fake("cached", {}, on(disk(), encrypted))),
      on(memoryStorage(), fake("cached", {}, disk())),
      on(memoryStorage(), fake("cached", {}, disk()), encrypted),
      on(memoryStorage(), fake("behind", {}, disk()), encrypted),
      on(memoryStorage(), encrypted, fake("behind", {}, on(disk(), encrypted))),
      on(memoryStorage(), encrypted, fake("behind")),
    ],
  },
  "plaintext-in-memory": {
    severity: "note",
    bad: () => [on(memoryStorage(), encrypted, cached), on(memoryStorage(), encrypted, json(), cached)],
    better: ["memory", "encrypted", "cached"],
    good: () => [on(memoryStorage(), cached), on(memoryStorage(), fake("cached", {}, disk()), encrypted)],
  },
  "composite-below-encryption": {
    severity: "note",
    bad: () => [on(memoryStorage(), fake("composite", {}, memoryStorage()), encrypted)],
    better: ["memory", "composite", "encrypted"],
    good: () => [on(memoryStorage(), fake("composite", {}, memoryStorage()))],
  },
  "composite-above-encryption": {
    severity: "note",
    bad: () => [on(memoryStorage(), encrypted, fake("composite", {}, on(memoryStorage(), encrypted)))],
    better: ["memory", "encrypted", "composite"],
    good: () => [on(memoryStorage(), fake("composite", {}, memoryStorage()))],
  },
};

describe.each(Object.entries(cases))("%s", (code, { severity, bad, better, good }) => {
  test("is found, with a sentence and the better order", () => {
    const [first, ...others] = bad().map((storage) => lint(storage).filter((finding) => finding.code === code));
    expect(first).toHaveLength(1);
    expect(first?.[0]).toMatchObject({ code, severity, order: better });
    expect(first?.[0]?.message).toMatch(/^.*".*[.]$/);
    expect(first?.[0]?.where.split(" over ")).toEqual(first?.[0]?.storages.map(({ name }) => name));
    for (const findings of others) expect(findings).toHaveLength(1);
  });

  test("is not found where the order is right", () => {
    for (const storage of good()) expect(lint(storage).map((finding) => finding.code)).not.toContain(code);
  });
});

test("the canonical order has nothing to mend", () => {
  const storage = on(
    memoryStorage(),
    fake("behind"),
    retry(),
    encrypted,
    prefixed("a/"),
    envelope,
    compressed(),
    limited({ maxSize: 9 }),
    json(),
    cached,
    metrics,
  );
  expect(lint(storage).map(({ code }) => code)).toEqual(["plaintext-in-memory"]);
});

test("the better order of a stack has no order left to find", () => {
  const parts: Record<string, unknown> = {
    behind: fake("behind"),
    retry: retry(),
    encrypted,
    envelope,
    compressed: compressed(),
    limited: limited({ timeout: 9 }),
    json: fake("json"),
    cached,
    metrics,
    prefixed: prefixed("a/"),
    readOnly: readOnly(),
  };
  const shuffled = ["metrics", "cached", "json", "readOnly", "compressed", "envelope", "prefixed", "encrypted", "retry", "behind"];
  const [finding] = lint(on(memoryStorage(), ...shuffled.map((name) => parts[name])));
  expect(finding?.order[0]).toBe("memory");
  expect(finding?.order.toSorted()).toEqual(["memory", ...shuffled].sort());
  const better = on(memoryStorage(), ...(finding?.order.slice(1) ?? []).map((name) => parts[name]));
  expect(lint(better).filter(({ severity }) => severity !== "note")).toEqual([]);
});

test("works on stacks made in code, of typed layers", () => {
  const users = stack(memoryStorage(), json<{ name: string }>(), retry());
  expect(lint(users).map(({ code }) => code)).toEqual(["retry-above-transform"]);
});

test("knows the layers of others by the traits of their plugins", () => {
  const storage = on(memoryStorage(), fake("squeezed"), fake("sealed"));
  expect(lint(storage)).toEqual([]);
  const plugins = [fakePlugin("squeezed", ["compresses"]), fakePlugin("sealed", ["encrypts"])];
  expect(lint(storage, { plugins }).map(({ code, where }) => `${code}: ${where}`)).toEqual([
    "compression-below-encryption: sealed over squeezed",
  ]);
});

test("looks into every storage that a part stands on, once however many paths lead there", () => {
  let shared: AnyStorage = on(memoryStorage(), json(), retry());
  for (let level = 0; level < 40; level++) shared = fake("replicated", {}, shared)(shared);
  expect(lint(shared).map(({ code }) => code)).toEqual(["retry-above-transform"]);
});

test("what is known of official names agrees with their plugins", async () => {
  const registry = new Registry();
  await registry.loadInstalled();
  for (const plugin of registry.known) {
    const known = official.get(plugin.name);
    expect(known?.kind, plugin.name).toBe(plugin.kind);
    const traits = plugin.kind === "codec" ? ["codes"] : (plugin.traits ?? []);
    expect(known?.traits, plugin.name).toEqual(traits);
  }
  const here = ["@stowage/core", ...Object.keys(manifest.devDependencies)];
  const names = [...official].filter(([, { package: packageName }]) => here.includes(packageName)).map(([name]) => name);
  expect(registry.known.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
});

describe("the loader", () => {
  test("prints warnings with place and better order, and goes on", async () => {
    const warnings: { code: string; line: number; column: number; path: string; file: string }[] = [];
    const text = "storages:\n  a:\n    backend: memory\n    layers:\n      - json\n      - retry\n  b: { backend: { use: a } }\n";
    const storages = await parseStorages(text, { file: "my.yaml", onWarning: (warning) => warnings.push(warning) });
    expect(warnings).toMatchObject([
      {
        code: "retry-above-transform",
        severity: "warning",
        file: "my.yaml",
        line: 6,
        column: 9,
        path: "storages.a.layers[1]",
        order: ["memory", "retry", "json"],
      },
    ]);
    await storages.close();
  });

  test("warns by the process where nobody listens", async () => {
    const emitted = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const storages = await parseStorages("storages: { a: { backend: memory, layers: [json, retry] } }");
    const sentence =
      'storage.yaml:1:50 storages.a.layers[1]: "retry" above "json" does that work again at each attempt; put it below, next to the backend. A better order, from the backend up: memory, retry, json.';
    expect(emitted.mock.calls).toEqual([[sentence, { type: "StorageWarning", code: "retry-above-transform" }]]);
    emitted.mockRestore();
    await storages.close();
  });

  test("leaves notes to explain, which tells them below the picture", async () => {
    const warnings: unknown[] = [];
    const text = "storages:\n  a:\n    backend: memory\n    layers: [encrypted, cached]\n";
    const plugins = [fakePlugin("encrypted", ["encrypts"]), fakePlugin("cached", ["caches"])];
    const storages = await parseStorages(text, { plugins, onWarning: (warning) => warnings.push(warning) });
    expect(warnings).toEqual([]);
    const note = 'note: "cached" above "encrypted" keeps values unencrypted, in the memory of this process alone.';
    expect(storages.explain("a")).toMatch(new RegExp(`\\n\\n${note}$`));
    await storages.close();
  });

  test("stops at errors, and says where", async () => {
    const text = "storages:\n  a:\n    backend: { file: { directory: ./x } }\n    layers:\n      - encrypted\n      - cached\n";
    const plugins = [
      fakePlugin("encrypted", ["encrypts"]),
      { ...fakePlugin("cached", ["caches"]), make: () => fake("cached", {}, disk()) } as ReturnType<typeof fakePlugin>,
    ];
    await expect(parseStorages(text, { plugins })).rejects.toMatchObject({
      code: "config",
      problems: [
        {
          line: 6,
          column: 9,
          path: "storages.a.layers[1]",
          message: expect.stringContaining('"cached" above encryption keeps unencrypted values') as string,
        },
      ],
    });
  });
});
