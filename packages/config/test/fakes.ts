import type { AnyStorage, Capabilities, Details, Plugin, Trait } from "@stowage/core";
import { anyLayer, definePlugin, ForwardingStorage, option, StorageError } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";

/** Layers that change nothing and stand for packages that are not here: they remember what they were made with. */
export class FakeLayer extends ForwardingStorage<unknown> {
  readonly name: string;
  override readonly inner: readonly AnyStorage[];
  readonly #options: Details["options"];
  readonly #closed: string[] | undefined;

  constructor(below: AnyStorage, name: string, options: Details["options"] = {}, stores: readonly AnyStorage[] = [], closed?: string[]) {
    super(below);
    this.name = name;
    this.inner = [below, ...stores];
    this.#options = options;
    this.#closed = closed;
  }

  override details(): Details {
    return { options: this.#options, stats: {} };
  }

  override async close(): Promise<void> {
    const label = this.#options["label"];
    this.#closed?.push(typeof label === "string" ? `${this.name} ${label}` : this.name);
    for (const storage of this.inner) await storage.close();
  }
}

/** A storage in memory that says other things of itself. */
export function fakeBackend(name: string, capabilities: Partial<Capabilities> = {}, options: Details["options"] = {}): AnyStorage {
  const storage = memoryStorage();
  return Object.defineProperties(storage, {
    name: { value: name },
    capabilities: { value: { ...storage.capabilities, ...capabilities } },
    details: { value: () => ({ options, stats: {} }) },
  });
}

/** A layer for `stack` or by hand, of one name. */
export function fake(name: string, options: Details["options"] = {}, ...stores: readonly AnyStorage[]): (inner: AnyStorage) => AnyStorage {
  return (inner) => new FakeLayer(inner, name, options, stores);
}

/** The plugin of a layer that changes nothing. */
export function fakePlugin(name: string, traits: readonly Trait[] = [], takes: "bytes" | "values" | "any" = "any"): Plugin {
  return definePlugin({
    kind: "layer",
    name,
    description: `Stands for ${name}.`,
    takes,
    traits,
    options: {},
    make: () => anyLayer((inner) => new FakeLayer(inner, name)),
  });
}

/** A cache that takes a storage as an option. */
export const keeperPlugin: Plugin = definePlugin({
  kind: "layer",
  name: "keeper",
  description: "Keeps what was read in a storage.",
  takes: "any",
  traits: ["caches"],
  options: { store: option.storage("Where entries are kept.", { required: true }) },
  make: ({ store }) => anyLayer((inner) => new FakeLayer(inner, "keeper", {}, [store])),
});

/** What the package of an encryption would define. The keys that it was made with stay readable for tests. */
export class FakeEncrypted extends FakeLayer {
  readonly keys: readonly { readonly id: string; readonly secret: Uint8Array }[];

  constructor(inner: AnyStorage, keys: FakeEncrypted["keys"]) {
    super(inner, "encrypted", { keys: keys.map(({ id }) => id) });
    this.keys = keys;
  }
}

export const encryptedPlugin: Plugin = definePlugin({
  kind: "layer",
  name: "encrypted",
  description: "Encrypts values.",
  takes: "bytes",
  traits: ["encrypts"],
  options: {
    keys: option.list(
      "Keys, the newest first.",
      option.object("One key.", {
        id: option.text("Its name.", { required: true }),
        secret: option.secretKey("The key itself.", { required: true }),
      }),
      { required: true, minLength: 1 },
    ),
  },
  make: ({ keys }) => anyLayer((inner) => new FakeEncrypted(inner, keys)),
});

export const metricsPlugin: Plugin = fakePlugin("metrics", ["measures"]);

/** A backend with every kind of option, which refuses a password that it does not like by quoting it. */
export const azurePlugin: Plugin = definePlugin({
  kind: "backend",
  name: "azure",
  description: "Stands for a backend of somebody else.",
  gives: "bytes",
  options: {
    container: option.text("The container.", {
      required: true,
      pattern: { source: "^[a-z]{3,}$", meaning: "three or more small letters" },
    }),
    password: option.secret("The password."),
    endpoints: option.list("Where to ask.", option.text("An address."), { maxLength: 2 }),
    headers: option.record("Headers by name.", option.text("A header.")),
    share: option.number("A share.", { max: 1 }),
    parts: option.whole("Parts.", { min: 1, max: 100 }),
    partSize: option.size("Bytes of a part.", { min: 5_000_000 }),
    lease: option.duration("How long.", { min: 1_000, max: 60_000 }),
    strict: option.boolean("Whether."),
    folder: option.path("A folder."),
    budget: option.either("How much.", [option.whole("Calls.", { min: 1 }), option.boolean("None.")]),
    journal: option.byteStorage("Where to write first."),
  },
  make: (options) => {
    if (options.password?.startsWith("bad") === true) {
      throw new StorageError("invalid-option", `azure: password ${options.password} is not accepted.`);
    }
    const { journal, password, ...shown } = options;
    const backend = fakeBackend(
      "azure",
      { shared: true, durability: "power" },
      { ...shown, ...(password !== undefined && { password: "***" }) },
    );
    return journal === undefined ? backend : new FakeLayer(backend, "azure-with-journal", {}, [journal]);
  },
});
