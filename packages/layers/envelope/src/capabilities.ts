import type { AnyStorage, Capabilities } from "@stowage/core";

/**
 * What an envelope can do on a storage. To create over what has expired takes a replace below, so that without one there is
 * no create either.
 */
export function capabilitiesOver(below: AnyStorage): () => Capabilities {
  let known: Capabilities | undefined;
  let own: Capabilities | undefined;
  return () => {
    const { capabilities } = below;
    if (own !== undefined && capabilities === known) return own;
    const { conditions } = capabilities;
    known = capabilities;
    own = {
      ...capabilities,
      ttl: "lazy",
      metadata: true,
      conditions: conditions.includes("replace") ? conditions : conditions.filter((condition) => condition !== "create"),
    };
    return own;
  };
}
