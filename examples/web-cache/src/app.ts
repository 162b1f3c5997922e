import type { ByteStorage, Storage } from "@stowage/core";
import { Hono } from "hono";
import { answerTo } from "./failures.ts";
import { filesRoutes } from "./files.ts";
import { notesRoutes } from "./notes.ts";

export interface AppParts {
  readonly notes: Storage<unknown>;
  readonly files: ByteStorage;
  /** What Prometheus is to read. */
  readonly metrics: () => Promise<string>;
  /** False while the server shuts down: a load balancer sends nothing more here then. */
  readonly isReady: () => boolean;
  readonly log: (error: unknown) => void;
}

/** The routes of the server. It knows storages, and nothing of what is below them. */
export function makeApp({ notes, files, metrics, isReady, log }: AppParts): Hono {
  const app = new Hono();
  app.route("/notes", notesRoutes(notes));
  app.route("/files", filesRoutes(files));
  app.get(
    "/metrics",
    async () => new Response(await metrics(), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } }),
  );
  app.get("/health", ({ json }) => (isReady() ? json({ status: "ok" }) : json({ status: "closing" }, 503)));
  app.notFound(({ json }) => json({ message: "There is nothing here; see /notes, /files, /metrics and /health." }, 404));
  app.onError((error, { req }) => answerTo(error, req.raw, log));
  return app;
}
