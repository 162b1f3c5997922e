import type { Storage } from "@stowage/core";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { conditionOf, isNamed, quoted } from "./etags.ts";

/** Bytes of a note at the most. */
const largestNote = 1_000_000;

const tooLarge = (): never => {
  throw new HTTPException(413, { message: "A note has at most 1 MB." });
};

/** JSON documents by name. Reads come from the cache of the stack where it has them. */
export function notesRoutes(notes: Storage<unknown>): Hono {
  const routes = new Hono();

  routes.get("/:name", async ({ req }) => {
    const entry = await notes.getEntry(req.param("name"), { signal: req.raw.signal });
    if (entry === undefined) throw new HTTPException(404, { message: "There is no such note." });
    const headers = new Headers({ "cache-control": "no-cache" }); // keep it, and ask whether it is still the same
    if (entry.etag !== undefined) headers.set("etag", quoted(entry.etag));
    if (isNamed(entry.etag, req.header("if-none-match"))) return new Response(null, { status: 304, headers });
    return Response.json(entry.value, { headers });
  });

  routes.put("/:name", bodyLimit({ maxSize: largestNote, onError: tooLarge }), async ({ req }) => {
    const value: unknown = await req.json().catch(() => {
      throw new HTTPException(400, { message: "A note is a JSON document." });
    });
    const info = await notes.put(req.param("name"), value, { ...conditionOf(req.raw.headers), signal: req.raw.signal });
    return new Response(null, { status: 204, headers: info.etag === undefined ? {} : { etag: quoted(info.etag) } });
  });

  routes.delete("/:name", async ({ req }) => {
    const { ifMatch } = conditionOf(req.raw.headers);
    await notes.delete(req.param("name"), { ifMatch, signal: req.raw.signal });
    return new Response(null, { status: 204 });
  });

  return routes;
}
