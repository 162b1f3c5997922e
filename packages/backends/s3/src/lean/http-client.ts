import { AsyncResource } from "node:async_hooks";
import type { Agent, ClientRequest, ClientRequestArgs, IncomingMessage, RequestOptions } from "node:http";
import { Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Duplex } from "node:stream";
import type { Address } from "./address.ts";
import { S3Failure } from "../transport.ts";

export interface HttpClientOptions {
  /** Connections at the most. */
  readonly connections: number;
  /** Milliseconds until a connection must stand. */
  readonly connectTimeout: number;
  /** Milliseconds that may pass without a byte. */
  readonly timeout: number;
}

export interface HttpRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names and values in turns, all that are sent. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Milliseconds that an idle connection is kept: less than services keep it, so that no request meets one that is being closed. */
const idleTime = 4_000;

/** Sends requests to one address over connections that are kept. */
export class HttpClient {
  readonly #address: Address;
  readonly #timeout: number;
  readonly #agent: Agent;
  readonly #start: (options: RequestOptions) => ClientRequest;
  /** Connections that may be used at once, beside those that are. */
  #free: number;
  /** Begins a request that waits for one of them, in turn. */
  readonly #waiting = new Set<() => void>();

  constructor(address: Address, { connections, connectTimeout, timeout }: HttpClientOptions) {
    this.#address = address;
    this.#timeout = timeout;
    this.#free = connections;
    const kept = { keepAlive: true, maxSockets: connections, timeout: idleTime, scheduling: "lifo" } as const;
    this.#agent = impatient(address.isSecure ? new SecureAgent(kept) : new PlainAgent(kept), address.isSecure, connectTimeout);
    this.#start = address.isSecure ? secureRequest : plainRequest;
  }

  /**
   * Sends a request and gives the answer when its headers are there. The signal ends it until then; the body is the caller's.
   * What breaks the connection rejects with an `S3Failure`.
   */
  send(request: HttpRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { signal } = request;
      if (signal?.aborted === true) return reject(signal.reason as Error);
      if (this.#free > 0) this.#exchange(request, resolve, reject);
      else this.#wait(signal, () => this.#exchange(request, resolve, reject), reject);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(
    { method, path, headers, body, signal }: HttpRequest,
    resolve: (response: IncomingMessage) => void,
    reject: (reason: unknown) => void,
  ): void {
    const { hostname, port } = this.#address;
    const request = this.#start({ agent: this.#agent, host: hostname, port, method, path, headers, timeout: this.#timeout });
    this.#free--;
    let answered = false;
    const abort = (): void => void request.destroy(signal!.reason as Error);
    signal?.addEventListener("abort", abort, { once: true });
    request.on("response", (response) => {
      answered = true;
      signal?.removeEventListener("abort", abort);
      resolve(response);
    });
    request.on("timeout", () => {
      const response = answered ? responseOf(request) : undefined;
      if (response === undefined) return void request.destroy(timedOut(this.#timeout));
      if (isWaiting(response)) response.destroy(timedOut(this.#timeout));
      else watchOver(response, this.#timeout);
    });
    request.on("error", (error) => {
      signal?.removeEventListener("abort", abort);
      reject(signal?.aborted === true ? signal.reason : brokenConnection(error));
    });
    request.on("close", this.#release);
    request.end(body);
  }

  /** Waits here for a connection, and not in the agent: there a request cannot end, by its signal or in time, before it has one. */
  #wait(signal: AbortSignal | undefined, start: () => void, reject: (reason: unknown) => void): void {
    const stop = (): void => {
      clearTimeout(late);
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(begin);
    };
    const fail = (reason: unknown): void => {
      stop();
      reject(reason);
    };
    const abort = (): void => fail(signal!.reason);
    const late = setTimeout(() => fail(noConnection(this.#timeout)), this.#timeout);
    // Another request's end begins it, but what is traced belongs to its own call.
    const begin = AsyncResource.bind((): void => {
      stop();
      try {
        start();
      } catch (error) {
        reject(error);
      }
    });
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.add(begin);
  }

  /** A request has ended, with its body. */
  readonly #release = (): void => {
    this.#free++;
    for (const begin of this.#waiting) {
      if (this.#free === 0) return;
      begin();
    }
  };
}

/** Ends connections that do not stand in time. */
function impatient(agent: Agent, isSecure: boolean, limit: number): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void) => {
    const socket = connect(options, callback);
    if (socket === null || socket === undefined) return socket;
    const late = setTimeout(() => socket.destroy(new ConnectTimeout(`No connection within ${limit} ms.`)), limit);
    const stop = (): void => clearTimeout(late);
    socket.once(isSecure ? "secureConnect" : "connect", stop);
    socket.once("close", stop);
    return socket;
  };
  return agent;
}

class ConnectTimeout extends Error {
  override readonly name = "ConnectTimeout";
}

function responseOf(request: ClientRequest): IncomingMessage | undefined {
  return (request as ClientRequest & { readonly res?: IncomingMessage }).res;
}

/** Whether a reader waits for the service. Who reads slowly is no reason to end a body; what is in the buffers shows it. */
function isWaiting({ readableLength, readableFlowing }: IncomingMessage): boolean {
  return readableLength === 0 && readableFlowing !== false;
}

/** Ends a body that stalls after its reader was slow. The timer of Node runs once, so it starts again with the reader. */
function watchOver(response: IncomingMessage, limit: number): void {
  const { socket } = response;
  const check = (): void => void (isWaiting(response) && response.destroy(timedOut(limit)));
  socket.on("timeout", check);
  response.on("resume", () => socket.setTimeout(limit));
  response.once("close", () => socket.removeListener("timeout", check));
}

function timedOut(limit: number): S3Failure {
  return new S3Failure(`The service sent nothing for ${limit} ms.`, { status: 0, code: "Timeout", isUnknown: true });
}

function noConnection(limit: number): S3Failure {
  const message = `No connection was free for ${limit} ms: a stream that is neither read to its end nor cancelled keeps one.`;
  return new S3Failure(message, { status: 0, code: "Timeout", isUnknown: false });
}

/** Codes of a connection that never stood. */
const unsent: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);

/** Whether an error says that nothing was sent. */
export function isUnsent(error: object): boolean {
  return error instanceof ConnectTimeout || ("code" in error && unsent.has(error.code));
}

/** What became of a connection, and whether the request may have got through before. */
export function brokenConnection(error: Error): S3Failure {
  if (error instanceof S3Failure) return error;
  return new S3Failure(`The connection failed: ${error.message}`, {
    status: 0,
    code: error instanceof ConnectTimeout ? "Timeout" : "NetworkError",
    isUnknown: !isUnsent(error),
    cause: error,
  });
}
