import { parentPort, workerData } from "node:worker_threads";
import type { ConnectionOptions } from "./connection.ts";
import { openWriting } from "./connection.ts";
import type { Answer, Request } from "./thread.ts";

// The thread that commits: it opens a connection of its own, says so, and then answers each group of changes.
const port = parentPort!;
const answer = (message: Answer): void => port.postMessage(message);
const failure = (error: unknown): Answer => ({ error, errcode: (error as { errcode?: number }).errcode });

try {
  const { database, transactions } = openWriting(workerData as ConnectionOptions);
  port.on("message", (request: Request | "close") => {
    if (request === "close") {
      database.close();
      port.close();
      return;
    }
    try {
      answer({ committed: transactions.run(request.changes, request.now) });
    } catch (error) {
      answer(failure(error));
    }
  });
  answer({ committed: { outcomes: [], more: false } });
} catch (error) {
  answer(failure(error));
  port.close();
}
