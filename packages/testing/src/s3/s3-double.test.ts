import { createHash, createHmac } from "node:crypto";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../virtual-clock.ts";
import type { S3Double } from "./s3-double.ts";
import { s3Double } from "./s3-double.ts";

let s3: S3Double;
const clock = new VirtualClock(Date.UTC(2026, 0, 1));

beforeEach(async () => {
  s3 = await s3Double({ clock });
});
afterEach(() => s3.close());

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds by which the clock of the sender is ahead. */
  readonly ahead?: number;
  readonly secret?: string;
  /** Headers that are sent and not signed. */
  readonly unsigned?: Readonly<Record<string, string>>;
}

/** Signs and sends a request, as it is written in the documentation of AWS. */
async function send({ method = "GET", path, headers = {}, body = "", ahead = 0, secret, unsigned = {} }: Sent): Promise<Response> {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const date = `${new Date(clock.now() + ahead).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
  const all: Record<string, string> = {
    host: new URL(s3.endpoint).host,
    "x-amz-content-sha256": sha256(body),
    "x-amz-date": date,
    ...headers,
  };
  const names = Object.keys(all).sort();
  const [place = "", query = ""] = path.split("?");
  const sorted = query.split("&").sort().join("&");
  const canonical = [
    method,
    place,
    sorted,
    ...names.map((name) => `${name}:${all[name]}`),
    "",
    names.join(";"),
    all["x-amz-content-sha256"],
  ].join("\n");
  const scope = `${date.slice(0, 8)}/${s3.region}/s3/aws4_request`;
  const key = [date.slice(0, 8), s3.region, "s3", "aws4_request"].reduce<Buffer | string>(hmac, `AWS4${secret ?? s3.secretAccessKey}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${s3.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  const { host: _, ...sent } = all;
  return await fetch(`${s3.endpoint}${path}`, { method, headers: { ...sent, authorization, ...unsigned }, ...(body !== "" && { body }) });
}

/** The status and the word of an answer. */
async function told(answer: Promise<Response>): Promise<[status: number, code: string | undefined]> {
  const response = await answer;
  return [response.status, /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1]];
}

const put = (more: Partial<Sent> = {}): Promise<Response> => send({ method: "PUT", path: "/bucket/key", body: "hello", ...more });

describe("signatures", () => {
  test("a signed request is let in, and the same with another secret, time, body or header is not", async () => {
    expect(await told(put())).toEqual([200, undefined]);
    expect(await told(put({ secret: "wrong" }))).toEqual([403, "SignatureDoesNotMatch"]);
    expect(await told(put({ ahead: 16 * 60_000 }))).toEqual([403, "RequestTimeTooSkewed"]);
    expect(await told(put({ headers: { "x-amz-content-sha256": "0".repeat(64) } }))).toEqual([400, "XAmzContentSHA256Mismatch"]);
    expect(await told(put({ unsigned: { "x-amz-meta-a": "b" } }))).toEqual([403, "AccessDenied"]);
    expect(await told(fetch(`${s3.endpoint}/bucket/key`))).toEqual([403, "AccessDenied"]);
  });

  test("what it does not know is refused", async () => {
    expect(await told(send({ path: "/bucket?acl=" }))).toEqual([501, "NotImplemented"]);
    expect(await told(send({ path: "/other/key" }))).toEqual([404, "NoSuchBucket"]);
  });
});

describe("bodies", () => {
  test("a wrong digest or checksum is refused", async () => {
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32("hello"));
    expect(await told(put({ headers: { "x-amz-checksum-crc32": crc.toString("base64") } }))).toEqual([200, undefined]);
    expect(await told(put({ headers: { "x-amz-checksum-crc32": "AAAAAA==" } }))).toEqual([400, "BadDigest"]);
    expect(await told(put({ headers: { "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==" } }))).toEqual([400, "BadDigest"]);
    expect(await told(send({ method: "POST", path: "/bucket?delete=", body: "<Delete/>" }))).toEqual([400, "InvalidRequest"]);
  });

  test("chunks with a trailer are taken apart, and the trailer is checked", async () => {
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32("hello"));
    const chunked = (trailer: string, length = "5"): Promise<Response> =>
      put({
        body: `2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:${trailer}\r\n\r\n`,
        headers: {
          "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
          "x-amz-decoded-content-length": length,
          "x-amz-trailer": "x-amz-checksum-crc32",
        },
      });
    expect(await told(chunked(crc.toString("base64")))).toEqual([200, undefined]);
    expect(await (await send({ path: "/bucket/key" })).text()).toBe("hello");
    expect(await told(chunked("AAAAAA=="))).toEqual([400, "BadDigest"]);
    expect(await told(chunked(crc.toString("base64"), "6"))).toEqual([400, "IncompleteBody"]);
  });
});

describe("uploads", () => {
  test("parts must be there, in order, and large enough", async () => {
    const started = await (await send({ method: "POST", path: "/bucket/key?uploads=" })).text();
    const id = /<UploadId>(.*)<\/UploadId>/.exec(started)?.[1] ?? "";
    const etags: string[] = [];
    for (const number of [1, 2]) {
      const answer = await send({ method: "PUT", path: `/bucket/key?partNumber=${number}&uploadId=${id}`, body: `part ${number}` });
      etags.push(answer.headers.get("etag")!);
    }
    const complete = (numbers: readonly number[]): Promise<[number, string | undefined]> => {
      const parts = numbers.map((number) => `<Part><PartNumber>${number}</PartNumber><ETag>${etags[number - 1]}</ETag></Part>`);
      return told(send({ method: "POST", path: `/bucket/key?uploadId=${id}`, body: `<A>${parts.join("")}</A>` }));
    };
    expect(await complete([2, 1])).toEqual([400, "InvalidPartOrder"]);
    expect(await complete([3])).toEqual([400, "InvalidPart"]);
    expect(await complete([1, 2])).toEqual([400, "EntityTooSmall"]);
    expect(await complete([1])).toEqual([200, undefined]);
    expect(await complete([1])).toEqual([404, "NoSuchUpload"]);
  });
});

describe("faults", () => {
  test("each happens as often as was said, to what was said", async () => {
    s3.on("PutObject", "key").answers(503, { retryAfter: "7", times: 2 });
    expect((await put()).headers.get("retry-after")).toBe("7");
    expect(await told(put({ path: "/bucket/other" }))).toEqual([200, undefined]);
    expect(await told(put())).toEqual([503, "SlowDown"]);
    expect(await told(put())).toEqual([200, undefined]);
  });

  test("a request that is reset is not carried out, and one whose answer is lost is", async () => {
    s3.on("PutObject").resetsRequest(0);
    await expect(put()).rejects.toThrow("fetch failed");
    expect(s3.keys("bucket")).toEqual([]);
    s3.on("PutObject").resetsAnswer(0);
    await expect(put()).rejects.toThrow("fetch failed");
    expect(s3.keys("bucket")).toEqual(["key"]);
  });

  test("an answer lies about its length, or ends early", async () => {
    await put();
    s3.on("GetObject").lies(3);
    await expect((await send({ path: "/bucket/key" })).text()).rejects.toThrow("terminated");
    s3.on("GetObject").resetsAnswer(10);
    await expect(send({ path: "/bucket/key" })).rejects.toThrow("fetch failed");
  });

  test("conditions that are not honoured are passed over without a word", async () => {
    const once = { headers: { "if-none-match": "*" } };
    expect([await told(put(once)), await told(put(once))]).toEqual([
      [200, undefined],
      [412, "PreconditionFailed"],
    ]);
    await s3.close();
    s3 = await s3Double({ clock, conditions: [] });
    expect([await told(put(once)), await told(put(once))]).toEqual([
      [200, undefined],
      [200, undefined],
    ]);
  });
});
