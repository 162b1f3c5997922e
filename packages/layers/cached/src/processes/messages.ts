import type { Invalidation } from "../bus.ts";

/** What a process is told. */
export type Order =
  | { readonly kind: "bus"; readonly message: Invalidation }
  | { readonly kind: "get" | "delete" | "clear"; readonly number: number; readonly key: string }
  | { readonly kind: "put"; readonly number: number; readonly key: string; readonly value: string }
  | { readonly kind: "advance"; readonly number: number; readonly duration: number }
  | { readonly kind: "hits"; readonly number: number };

/** What it says: a message for the bus, or what became of an order. */
export type Answer =
  | { readonly kind: "bus"; readonly message: Invalidation }
  | { readonly kind: "answer"; readonly number: number; readonly value?: unknown; readonly error?: string };
