import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { S3Error } from "../s3-error.ts";
import { readCredentials } from "./credentials.ts";
import { checkSignature, SigningKeys } from "./signature.ts";
import { exampleSigner, received } from "./testing/example-requests.ts";
import { emptySha256, presign, type Signable, type Signed, type Signer, signHeader } from "./testing/sign.ts";

const host = "examplebucket.s3.amazonaws.com";
const welcome = createHash("sha256").update("Welcome to Amazon S3.").digest("hex");

function verify(signed: Pick<Signed, "method" | "target" | "headers">, payload: string, signer = exampleSigner): void {
  const request = received(signed);
  const credentials = readCredentials(request);
  if (!credentials) throw new Error("the request has no credentials");
  checkSignature(request, credentials, new SigningKeys().of(signer.secretAccessKey, credentials.scope), payload);
}

function refusal(run: () => void): S3Error {
  try {
    run();
  } catch (error) {
    if (error instanceof S3Error) return error;
    throw error;
  }
  throw new Error("it was let in");
}

describe("the examples of the S3 API reference", () => {
  const examples: readonly (readonly [string, Signable, string])[] = [
    [
      "GET object",
      { method: "GET", path: "/test.txt", headers: { host, range: "bytes=0-9" } },
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ],
    [
      "PUT object",
      {
        ...{ method: "PUT", path: "/test$file.text", payload: welcome },
        headers: { host, date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
      },
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ],
    [
      "GET lifecycle",
      { method: "GET", path: "/", query: "lifecycle", headers: { host } },
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    [
      "list objects",
      { method: "GET", path: "/", query: "max-keys=2&prefix=J", headers: { host } },
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
  ];

  test.each(examples)("%s", (_name, request, signature) => {
    const signed = signHeader(exampleSigner, request);
    expect(signed.signature).toBe(signature);
    verify(signed, request.payload ?? emptySha256);
  });

  test("presigned GET", () => {
    const signed = presign(
      exampleSigner,
      { method: "GET", path: "/test.txt", headers: { host } },
      { expires: "86400" },
    );
    expect(signed.signature).toBe("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    verify(signed, "UNSIGNED-PAYLOAD");
  });
});

describe("a wrong signature", () => {
  const get: Signable = { method: "GET", path: "/photos/a.txt", query: "versionId=3", headers: { host } };
  const good = signHeader(exampleSigner, get);
  const changes: readonly (readonly [string, Pick<Signed, "method" | "target" | "headers">])[] = [
    ["another secret", signHeader({ ...exampleSigner, secretAccessKey: "another" }, get)],
    ["another method", { ...good, method: "DELETE" }],
    ["another key", { ...good, target: good.target.replace("a.txt", "b.txt") }],
    ["another query", { ...good, target: good.target.replace("versionId=3", "versionId=4") }],
    ["more query", { ...good, target: `${good.target}&response-content-type=text/html` }],
    ["another host", { ...good, headers: { ...good.headers, host: "other.s3.amazonaws.com" } }],
    ["another signed header", { ...good, headers: { ...good.headers, "x-amz-content-sha256": welcome } }],
  ];

  test("is told from a right one", () => verify(good, emptySha256));

  test.each(changes)("%s", (name, changed) => {
    const payload = name === "another signed header" ? welcome : emptySha256;
    expect(refusal(() => verify(changed, payload)).code).toBe("SignatureDoesNotMatch");
  });

  test("is answered with what was signed here", () => {
    const { details } = refusal(() => verify({ ...good, method: "PUT" }, emptySha256));
    expect(details).toMatchObject({ AWSAccessKeyId: exampleSigner.accessKeyId, SignatureProvided: good.signature });
    expect(details["CanonicalRequest"]).toContain("PUT\n/photos/a.txt\nversionId=3\nhost:");
    expect(details["StringToSign"]).toContain(
      "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n",
    );
    expect(JSON.stringify(details)).not.toContain(exampleSigner.secretAccessKey);
  });
});

describe("a presigned request (A18)", () => {
  const get: Signable = { method: "GET", path: "/photos/a.txt", query: "prefix=a%2Bb", headers: { host } };
  const good = presign(exampleSigner, get);

  test("is taken as it was signed", () => verify(good, "UNSIGNED-PAYLOAD"));

  test.each([
    ["PUT", { ...good, method: "PUT" }],
    ["DELETE", { ...good, method: "DELETE" }],
    ["HEAD", { ...good, method: "HEAD" }],
    ["another key", { ...good, target: good.target.replace("/photos/a.txt", "/photos/b.txt") }],
    ["a version", { ...good, target: `${good.target}&versionId=1` }],
    ["an upload", { ...good, target: `${good.target}&uploadId=1` }],
    ["another type", { ...good, target: `${good.target}&response-content-type=text%2Fhtml` }],
    ["a longer life", { ...good, target: good.target.replace("X-Amz-Expires=3600", "X-Amz-Expires=604800") }],
    ["a value that is read as another one", { ...good, target: good.target.replace("a%2Bb", "a+b") }],
  ])("serves nothing else: %s", (_name, changed) => {
    expect(refusal(() => verify(changed, "UNSIGNED-PAYLOAD")).code).toBe("SignatureDoesNotMatch");
  });
});

describe("the canonical request (A19)", () => {
  const signer: Signer = exampleSigner;
  const paths = [
    "/a%2Fb",
    "/a//b",
    "/%2E%2E/x",
    "/a/../b",
    "/a%25b",
    "/a+b",
    "/a;b",
    "/a%c3%a9",
    "/a%C3%A9",
    "/a b",
    "/",
    "/a/",
  ];

  test.each(paths)("takes the path %s as it came, neither resolved nor encoded twice", (path) => {
    verify(signHeader(signer, { method: "GET", path, headers: { host } }), emptySha256);
  });

  test.each([
    ["b=2&a=1&a=0&A=9"],
    ["a-b=1&a=1&a.b=2"],
    ["uploads"],
    ["prefix=%C3%A9%2F&delimiter=%2F"],
    ["prefix=*'()!~"],
    ["a==&b=c=d"],
  ])("sorts and encodes the query %s", (query) => {
    verify(signHeader(signer, { method: "GET", path: "/", query, headers: { host } }), emptySha256);
  });

  test("reads a plus in the query as the space that it is taken for", () => {
    const signed = signHeader(signer, { method: "GET", path: "/", query: "prefix=a%20b", headers: { host } });
    verify({ ...signed, target: signed.target.replace("a%20b", "a+b") }, emptySha256);
  });

  test("takes the bytes of a header as they came, whatever they are", () => {
    const bytes = Buffer.from("Grüße 日本", "utf8").toString("latin1");
    verify(signHeader(signer, { method: "GET", path: "/", headers: { host, "x-amz-meta-name": bytes } }), emptySha256);
  });

  test("makes one space of many and trims", () => {
    const headers = { host, "x-amz-meta-name": "  a   b  " };
    verify(signHeader(signer, { method: "GET", path: "/", headers }), emptySha256);
  });
});

test("signing keys are remembered, and not more of them than the limit", () => {
  const keys = new SigningKeys();
  const scope = { date: "20130524", region: "us-east-1" };
  const first = keys.of("secret", scope);
  expect(keys.of("secret", scope)).toBe(first);
  expect(keys.of("secret", { ...scope, date: "20130525" })).not.toEqual(first);
  for (let index = 0; index < 1024; index++) keys.of(`secret ${index}`, scope);
  expect(keys.of("secret", scope)).not.toBe(first);
  expect(keys.of("secret", scope)).toEqual(first);
});
