import { cached } from "@stowage/cached";
import { compressed } from "@stowage/compressed";
import { findLayer, json, stack } from "@stowage/core";
import { envelope } from "@stowage/envelope";
import { events, EventsStorage } from "@stowage/events";
import { memoryStorage } from "@stowage/memory";
import { retry } from "@stowage/retry";

/** What a page does with the packages that are made for browsers; a figure for each step, for the page's caller to check. */
export async function useInPage(): Promise<Readonly<Record<string, unknown>>> {
  const memory = memoryStorage();
  const texts = stack(memory, retry(), envelope(), compressed());
  const notes = stack(memory, retry(), envelope(), compressed(), json<{ text: string }>(), cached(), events());
  const seen: string[] = [];
  findLayer(notes, EventsStorage)?.on("put", ({ type, key }) => seen.push(`${type} ${key}`));
  const text = new TextEncoder().encode("the same again, ".repeat(1_000));

  await texts.put("text", text, { metadata: { "content-type": "text/plain" } });
  await notes.put("note", { text: "hello" });
  await texts.write("large", new Blob([new Uint8Array(3_000_000)]));
  const part = await new Response((await texts.read("large", { start: 1_999_990, end: 2_000_000 }))?.value).arrayBuffer();
  const back = await texts.get("text");

  return {
    same: back?.every((byte, index) => byte === text[index]),
    size: back?.byteLength,
    stored: (await memory.head("text"))?.size,
    part: part.byteLength,
    note: await notes.get("note"),
    events: seen,
    contentType: (await texts.head("text"))?.metadata?.["content-type"],
    keys: (await texts.list()).entries.map(({ key }) => key),
  };
}
