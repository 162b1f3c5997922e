import { createServer } from "node:http";

// An S3 service that does nothing, in a process of its own: it takes what is put and gives bytes of the size that the key says,
// as "5242880/name". Prints its port.

const etag = '"0123456789abcdef0123456789abcdef"';
const bodies = new Map<number, Buffer>();

function bodyOf(size: number): Buffer {
  const known = bodies.get(size) ?? Buffer.alloc(size, 7);
  bodies.set(size, known);
  return known;
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const { method, url = "" } = request;
  request.resume();
  if (method === "GET") {
    const whole = bodyOf(Number(/^\/[^/]+\/(\d+)\//.exec(url)?.[1] ?? 0));
    const [, first = "0", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const body = whole.subarray(Number(first), last === "" ? whole.length : Number(last) + 1);
    response.writeHead(body.length === whole.length ? 200 : 206, {
      ...(body.length < whole.length && { "content-range": `bytes ${first}-${Number(first) + body.length - 1}/${whole.length}` }),
      "content-length": body.length,
      "content-type": "binary/octet-stream",
      etag,
      "last-modified": "Sat, 21 Nov 2026 05:00:00 GMT",
    });
    response.end(body);
    return;
  }
  request.on("end", () => {
    if (method === "POST") {
      const name = url.includes("uploads") ? "InitiateMultipartUploadResult" : "CompleteMultipartUploadResult";
      const text = `<?xml version="1.0"?><${name}><UploadId>id</UploadId><ETag>${etag}</ETag></${name}>`;
      response.writeHead(200, { "content-type": "application/xml", "content-length": text.length });
      response.end(text);
      return;
    }
    response.writeHead(200, { etag, "content-length": 0 });
    response.end();
  });
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(address?.port);
});
