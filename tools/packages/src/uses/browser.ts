import { compressed } from "@stowage/compressed";
import { json, stack } from "@stowage/core";
import { memoryStorage } from "@stowage/memory";
import { retry } from "@stowage/retry";

/** What a page does with the packages that are made for browsers; a figure for each step, for the page's caller to check. */
export async function useInPage(): Promise<Readonly<Record<string, unknown>>> {
  const memory = memoryStorage();
  const texts = stack(memory, retry(), compressed());
  const notes = stack(memory, retry(), compressed(), json<{ text: string }>());
  const text = new TextEncoder().encode("the same again, ".repeat(1_000));

  await texts.put("text", text);
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
    keys: (await texts.list()).entries.map(({ key }) => key),
  };
}
