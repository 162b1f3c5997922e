import type { Bytes, ByteStorage } from "@stowage/core";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { conditionOf, isNamed, quoted } from "./etags.ts";

/** Bytes by path, streamed both ways: a few chunks are in memory, whatever the size. */
export function filesRoutes(files: ByteStorage): Hono {
  const routes = new Hono();

  routes.get("/:path{.+}", async ({ req }) => {
    const entry = await files.read(req.param("path"), { signal: req.raw.signal });
    if (entry === undefined) throw new HTTPException(404, { message: "There is no such file." });
    const headers = new Headers({ "content-type": "application/octet-stream", "cache-control": "no-cache" });
    if (entry.etag !== undefined) headers.set("etag", quoted(entry.etag));
    const isKnown = isNamed(entry.etag, req.header("if-none-match"));
    if (!isKnown && entry.size !== undefined) headers.set("content-length", String(entry.size));
    if (isKnown || req.method === "HEAD") {
      await entry.value.cancel();
      return new Response(null, { status: isKnown ? 304 : 200, headers });
    }
    return new Response(entry.value, { headers });
  });

  routes.put("/:path{.+}", async ({ req }) => {
    const source = (req.raw.body as ReadableStream<Bytes> | null) ?? new Blob([]);
    const length = req.header("content-length");
    const size = length === undefined ? undefined : Number(length);
    const info = await files.write(req.param("path"), source, { ...conditionOf(req.raw.headers), size, signal: req.raw.signal });
    return new Response(null, { status: 204, headers: info.etag === undefined ? {} : { etag: quoted(info.etag) } });
  });

  routes.delete("/:path{.+}", async ({ req }) => {
    const { ifMatch } = conditionOf(req.raw.headers);
    await files.delete(req.param("path"), { ifMatch, signal: req.raw.signal });
    return new Response(null, { status: 204 });
  });

  return routes;
}
