import type { Plugin } from "@stowage/core";
import { definePlugin, option } from "@stowage/core";
import { encrypted } from "./encrypted.ts";
import type { KeyOptions } from "./encrypted.ts";
import { memoryBounds, passesBounds } from "./key-sources.ts";
import { keyId } from "./settings.ts";

/** How a storage file knows this package. */
export const plugins: readonly Plugin[] = [
  definePlugin({
    kind: "layer",
    name: "encrypted",
    description: "Encrypts values and binds each to its key.",
    takes: "bytes",
    traits: ["encrypts"],
    options: {
      keys: option.list(
        "The key ring. The first key writes, unless `current` names another; all of them read.",
        option.object("A key: an id, and a secret or a passphrase.", {
          id: option.text("The name of the key, which stands unencrypted in each value.", { required: true, pattern: keyId }),
          secret: option.secretKey("The 32 bytes of the key."),
          passphrase: option.secret("Instead of `secret`: a text from which the key is computed."),
          salt: option.text("For `passphrase`: 16 random bytes as base64 or hex. Not a secret."),
          memory: option.size("For `passphrase`: memory that computing the key takes, once.", memoryBounds),
          passes: option.whole("For `passphrase`: passes over that memory.", passesBounds),
        }),
        { required: true, minLength: 1 },
      ),
      current: option.text("The id of the key that writes; the first of `keys` where it is left out.", { pattern: keyId }),
      suite: option.choice(
        "The algorithm for values: `auto` takes XChaCha20-Poly1305 for small ones, and AES-256-GCM for large ones where the processor has instructions for it.",
        ["auto", "xchacha20-poly1305", "aes-256-gcm"],
        { default: "auto" },
      ),
      context: option.text(
        "What values are bound to beside their keys, such as `production/users`: they cannot be read in another context.",
      ),
      legacy: option.object("Values without a header, from before this layer, are given as they are. Without it they are `corrupt`.", {
        until: option.text("Until this date: `2027-06-30`.", { required: true }),
      }),
    },
    make: ({ keys, ...options }, { clock }) => encrypted({ ...options, keys: keys as readonly KeyOptions[], clock }),
  }),
];
