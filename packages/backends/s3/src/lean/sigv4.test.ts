import { describe, expect, test } from "vitest";
import type { SignedRequest } from "./sigv4.ts";
import { emptyPayload, encodeKey, encodeQuery, encodeText, sha256, Signer, signingTime, unsigned } from "./sigv4.ts";

// From the Signature Version 4 test suite of AWS.
describe("the published test suite", () => {
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
  const time = "20150830T123600Z";
  const vectors: readonly [name: string, request: Partial<SignedRequest>, signature: string][] = [
    ["get-vanilla", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    ["post-vanilla", { method: "POST" }, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
    [
      "get-vanilla-query-order-key-case",
      { query: encodeQuery({ Param2: "value2", Param1: "value1" }) },
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
    [
      "get-unreserved",
      { path: encodeKey("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") },
      "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ],
    ["get-utf8", { path: encodeKey("/ሴ") }, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"],
  ];

  for (const [name, request, signature] of vectors) {
    test(`${name} has the signature that is published`, () => {
      const signer = new Signer("us-east-1", "service");
      const headers = [
        ["host", "example.amazonaws.com"],
        ["x-amz-date", time],
      ] as const;
      const signed = { method: "GET", path: "/", query: "", headers, payload: emptyPayload, ...request };
      expect(signer.authorization(signed, credentials, time)).toBe(
        `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
      );
    });
  }
});

// From the documentation of S3: "Examples: Signature Calculations", and the one of a presigned address.
describe("the published examples of S3", () => {
  const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
  const time = "20130524T000000Z";
  const host = ["host", "examplebucket.s3.amazonaws.com"] as const;
  const date = ["x-amz-date", time] as const;
  const content = (payload: string): readonly [string, string] => ["x-amz-content-sha256", payload];
  const body = sha256("Welcome to Amazon S3.");
  const presigned = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
    "X-Amz-Date": time,
    "X-Amz-Expires": "86400",
    "X-Amz-SignedHeaders": "host",
  };
  const vectors: readonly [name: string, request: SignedRequest, signature: string][] = [
    [
      "a part of an object",
      {
        method: "GET",
        path: "/test.txt",
        query: "",
        headers: [host, ["range", "bytes=0-9"], content(emptyPayload), date],
        payload: emptyPayload,
      },
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ],
    [
      "a put with headers",
      {
        method: "PUT",
        path: encodeKey("/test$file.text"),
        query: "",
        headers: [["date", "Fri, 24 May 2013 00:00:00 GMT"], host, content(body), date, ["x-amz-storage-class", "REDUCED_REDUNDANCY"]],
        payload: body,
      },
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ],
    [
      "a query without a value",
      {
        method: "GET",
        path: "/",
        query: encodeQuery({ lifecycle: "" }),
        headers: [host, content(emptyPayload), date],
        payload: emptyPayload,
      },
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    [
      "a listing",
      {
        method: "GET",
        path: "/",
        query: encodeQuery({ prefix: "J", "max-keys": "2" }),
        headers: [host, content(emptyPayload), date],
        payload: emptyPayload,
      },
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
    [
      "a presigned address",
      { method: "GET", path: "/test.txt", query: encodeQuery(presigned), headers: [host], payload: unsigned },
      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    ],
  ];

  for (const [name, request, signature] of vectors) {
    test(`${name} has the signature that is published`, () => {
      const names = request.headers.map(([header]) => header).join(";");
      expect(new Signer("us-east-1").signature(request, names, credentials, time)).toBe(signature);
    });
  }
});

test("a new day and a new secret make a new key", () => {
  const signer = new Signer("us-east-1");
  const request = { method: "GET", path: "/", query: "", headers: [], payload: unsigned };
  const sign = (secretAccessKey: string, time: string): string =>
    signer.signature(request, "", { accessKeyId: "a", secretAccessKey }, time);
  const first = sign("one", "20130524T000000Z");
  const others = [sign("two", "20130524T000000Z"), sign("one", "20130525T000000Z"), sign("one", "20130524T000001Z")];
  expect(others).not.toContain(first);
  expect(sign("one", "20130524T000000Z")).toBe(first);
});

test("text is encoded as signatures want it", () => {
  expect(encodeText("a b/c!'()*+é~")).toBe("a%20b%2Fc%21%27%28%29%2A%2B%C3%A9~");
  expect(encodeKey("a b/c!//%2F")).toBe("a%20b/c%21//%252F");
  expect(signingTime(Date.UTC(2026, 10, 21, 5, 46, 8, 999))).toBe("20261121T054608Z");
});
