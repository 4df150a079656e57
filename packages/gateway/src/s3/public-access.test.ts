import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Holder, type S3Answer, TestS3 } from "./testing/test-s3.ts";

let s3: TestS3;
const arn = "arn:aws:s3:::pub";
const everything = { Effect: "Deny", Principal: "*", Action: "s3:*", Resource: [arn, `${arn}/*`] };

beforeAll(async () => {
  s3 = await TestS3.start();
});
afterAll(() => s3[Symbol.asyncDispose]());

beforeEach(async () => {
  await s3.ask("PUT", "/pub");
  for (const part of ["policy=", "publicAccessBlock=", "ownershipControls="])
    await s3.ask("DELETE", "/pub", { query: part });
  await s3.ask("PUT", "/pub", { query: "acl=", headers: { "x-amz-acl": "private" } });
  await s3.ask("PUT", "/pub/private", { body: "private" });
  await s3.ask("PUT", "/pub/public", { body: "public", headers: { "x-amz-acl": "public-read" } });
});

/** Without any credentials. */
function anonymous(method: string, target: string, { headers = {}, body = "" } = {}): Promise<S3Answer> {
  return s3.send(
    { method, target, headers: { host: s3.host, ...headers } },
    body === "" ? undefined : Buffer.from(body),
  );
}
const codes = async (...targets: string[]) => {
  const answers = await Promise.all(targets.map((target) => anonymous("GET", target)));
  return answers.map(({ status, code }) => code ?? status);
};
const put = (...Statement: object[]) =>
  s3.ask("PUT", "/pub", { query: "policy=", body: JSON.stringify({ Statement }) });
const block = (...names: string[]) => {
  const body = `<PublicAccessBlockConfiguration>${names.map((name) => `<${name}>true</${name}>`).join("")}</PublicAccessBlockConfiguration>`;
  return s3.ask("PUT", "/pub", { query: "publicAccessBlock=", body });
};

describe("the list public-read", () => {
  test("of an object lets everybody read it, and nothing else", async () => {
    expect(await codes("/pub/public", "/pub/private", "/pub", "/pub/public?acl", "/pub/public?tagging", "/")).toEqual([
      ...[200, ...Array(5).fill("AccessDenied")],
    ]);
    expect((await anonymous("HEAD", "/pub/public")).status).toBe(200);
    expect((await anonymous("GET", "/pub/public", { headers: { range: "bytes=1-2" } })).text).toBe("ub");
    for (const method of ["PUT", "DELETE", "POST"])
      expect((await anonymous(method, "/pub/public", { body: method === "DELETE" ? "" : "x" })).code).toBe(
        "AccessDenied",
      );
  });

  test("S20 of an object tells nobody which others are there", async () => {
    expect(await codes("/pub/never", "/pub/private", "/nowhere/never")).toEqual(Array(3).fill("AccessDenied"));
    expect((await anonymous("HEAD", "/pub/never")).status).toBe(403);
    await s3.ask("PUT", "/pub", { query: "acl=", headers: { "x-amz-acl": "public-read" } });
    expect(await codes("/pub/never", "/pub/private")).toEqual(["NoSuchKey", "AccessDenied"]);
  });

  test("of a bucket lets everybody list it, and not read what is in it", async () => {
    await s3.ask("PUT", "/pub", { query: "acl=", headers: { "x-amz-acl": "public-read" } });
    expect((await s3.ask("GET", "/pub", { query: "acl=" })).text).toContain("groups/global/AllUsers");
    expect((await anonymous("GET", "/pub?list-type=2")).text).toContain("<Key>private</Key>");
    expect(await codes("/pub?uploads", "/pub/private", "/pub?policy", "/pub?tagging")).toEqual([
      ...[200, "AccessDenied", "AccessDenied", "AccessDenied"],
    ]);
  });

  test("comes with a new bucket, a copy, an upload in parts, or later, and goes when the object is written anew", async () => {
    const headers = { "x-amz-acl": "public-read" };
    expect((await s3.ask("PUT", "/made", { headers })).status).toBe(200);
    expect(await codes("/made")).toEqual([200]);
    const copy = { "x-amz-copy-source": "pub/public" };
    await s3.ask("PUT", "/pub/copy", { headers: copy });
    await s3.ask("PUT", "/pub/public%20copy", { headers: { ...copy, ...headers } });
    const { text } = await s3.ask("POST", "/pub/parts", { query: "uploads=", headers });
    const id = /<UploadId>([^<]+)/.exec(text)?.[1];
    const part = await s3.ask("PUT", "/pub/parts", { query: `partNumber=1&uploadId=${id}`, body: "parts" });
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers.etag}</ETag></Part></CompleteMultipartUpload>`;
    await s3.ask("POST", "/pub/parts", { query: `uploadId=${id}`, body });
    expect(await codes("/pub/copy", "/pub/public%20copy", "/pub/parts")).toEqual(["AccessDenied", 200, 200]);
    await s3.ask("PUT", "/pub/private", { query: "acl=", headers });
    await s3.ask("PUT", "/pub/public", { body: "written anew" });
    expect(await codes("/pub/private", "/pub/public")).toEqual([200, "AccessDenied"]);
    const { text: list } = await s3.ask("GET", "/pub/private", { query: "acl=" });
    expect((await s3.ask("PUT", "/pub/public", { query: "acl=", body: list })).status).toBe(200);
    expect(await codes("/pub/public")).toEqual([200]);
  });

  test("S27 does not let whoever has not signed say what is answered", async () => {
    expect(await codes("/pub/public?response-content-type=text%2Fhtml")).toEqual(["InvalidRequest"]);
  });

  test("is refused where lists are blocked or do not count, and ignored where they are to be", async () => {
    const again = (headers = { "x-amz-acl": "public-read" }) => s3.ask("PUT", "/pub/public", { body: "x", headers });
    await block("IgnorePublicAcls");
    expect(await codes("/pub/public")).toEqual(["AccessDenied"]);
    await block("BlockPublicAcls");
    expect(await codes("/pub/public")).toEqual([200]);
    expect((await again()).code).toBe("AccessDenied");
    expect((await s3.ask("PUT", "/pub", { query: "acl=", headers: { "x-amz-acl": "public-read" } })).code).toBe(
      "AccessDenied",
    );
    await block();
    const body =
      "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
    expect((await s3.ask("PUT", "/pub", { query: "ownershipControls=", body })).status).toBe(200);
    expect((await again()).code).toBe("AccessControlListNotSupported");
    expect((await again({ "x-amz-acl": "bucket-owner-full-control" })).status).toBe(200);
    expect(await codes("/pub/public")).toEqual(["AccessDenied"]);
  });

  test("is the only one besides private", async () => {
    for (const acl of ["public-read-write", "authenticated-read"])
      expect((await s3.ask("PUT", "/pub/x", { headers: { "x-amz-acl": acl } })).code).toBe("NotImplemented");
    expect((await s3.ask("PUT", "/pub/x", { headers: { "x-amz-acl": "public" } })).code).toBe("InvalidArgument");
    expect((await s3.ask("PUT", "/pub/x", { headers: { "x-amz-grant-read": "id=1" } })).code).toBe("NotImplemented");
  });
});

describe("a bucket policy", () => {
  const reads = { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: `${arn}/*` };

  test("is kept as it was put, and told to be public", async () => {
    expect((await s3.ask("GET", "/pub", { query: "policy=" })).code).toBe("NoSuchBucketPolicy");
    const body = JSON.stringify({ Version: "2012-10-17", Statement: [reads] }, null, 3);
    expect((await s3.ask("PUT", "/pub", { query: "policy=", body })).status).toBe(204);
    expect((await s3.ask("GET", "/pub", { query: "policy=" })).text).toBe(body);
    expect((await s3.ask("GET", "/pub", { query: "policyStatus=" })).text).toContain("<IsPublic>true</IsPublic>");
    expect((await put({ ...reads, Action: "s3:Unknown" })).code).toBe("MalformedPolicy");
    expect((await s3.ask("GET", "/pub", { query: "policy=" })).text).toBe(body);
    expect((await s3.ask("DELETE", "/pub", { query: "policy=" })).status).toBe(204);
    expect(await codes("/pub/private")).toEqual(["AccessDenied"]);
  });

  test("lets everybody read, or list, or write, as it says", async () => {
    await put(reads);
    expect(await codes("/pub/private", "/pub", "/pub/never")).toEqual([200, "AccessDenied", "AccessDenied"]);
    await put(reads, { ...reads, Action: "s3:ListBucket", Resource: arn });
    expect(await codes("/pub/private", "/pub", "/pub/never")).toEqual([200, 200, "NoSuchKey"]);
    expect((await anonymous("PUT", "/pub/drop", { body: "x" })).code).toBe("AccessDenied");
    await put({ ...reads, Action: ["s3:PutObject", "s3:DeleteObject"], Resource: `${arn}/drop/*` });
    expect((await anonymous("PUT", "/pub/drop/1", { body: "x" })).status).toBe(200);
    expect((await anonymous("PUT", "/pub/else", { body: "x" })).code).toBe("AccessDenied");
    const acl = { "x-amz-acl": "public-read" };
    expect((await anonymous("PUT", "/pub/drop/2", { body: "x", headers: acl })).code).toBe("AccessDenied");
    const copy = { "x-amz-copy-source": "pub/private" };
    expect((await anonymous("PUT", "/pub/drop/3", { headers: copy })).code).toBe("AccessDenied");
    expect((await anonymous("DELETE", "/pub/drop/1")).status).toBe(204);
    const streaming = {
      "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      "x-amz-decoded-content-length": "1",
    };
    expect((await anonymous("PUT", "/pub/drop/4", { body: "x", headers: streaming })).code).toBe("AccessDenied");
  });

  test("A22 forbids keys one by one in DeleteObjects", async () => {
    await put({ ...reads, Effect: "Deny", Action: "s3:DeleteObject", Resource: `${arn}/private` });
    const body = "<Delete><Object><Key>private</Key></Object><Object><Key>public</Key></Object></Delete>";
    const { text } = await s3.ask("POST", "/pub", { query: "delete=", body, headers: { "content-md5": md5(body) } });
    expect(text).toContain("<Deleted><Key>public</Key></Deleted>");
    expect(text).toContain("<Error><Key>private</Key><Code>AccessDenied</Code>");
    expect((await s3.ask("GET", "/pub/private")).status).toBe(200);
    expect((await s3.ask("DELETE", "/pub/private")).code).toBe("AccessDenied");
  });

  test("forbids keys of access, and adds nothing to their scopes", async () => {
    const [reader, other] = [await s3.key({ scopes: ["read"], drives: ["pub"] }), await s3.key({ drives: ["made"] })];
    const all = { ...everything, Effect: "Allow", Principal: { AWS: [reader.accessKeyId, other.accessKeyId] } };
    await put(all);
    const ask = (as: Holder, method = "GET") =>
      s3.ask(method, "/pub/private", { as, body: method === "PUT" ? "x" : "" });
    expect((await ask(reader)).status).toBe(200);
    expect((await ask(reader, "PUT")).code).toBe("AccessDenied");
    expect((await ask(other)).code).toBe("AccessDenied");
    await put({ ...all, Effect: "Deny" });
    expect((await ask(reader)).code).toBe("AccessDenied");
    expect((await s3.ask("GET", "/pub/private")).status).toBe(200);
  });

  test("S20 that takes the right to list takes the knowledge of what is not there", async () => {
    const reader = await s3.key({ scopes: ["read"] });
    const list = { Effect: "Deny", Principal: { AWS: reader.accessKeyId }, Action: "s3:ListBucket", Resource: arn };
    await put(list);
    expect((await s3.ask("GET", "/pub/never", { as: reader })).code).toBe("AccessDenied");
    expect((await s3.ask("GET", "/pub/private", { as: reader })).text).toBe("private");
    expect((await s3.ask("GET", "/pub/never")).code).toBe("NoSuchKey");
  });

  test("that shuts out everybody can be taken back by whoever has all buckets, and by nobody else", async () => {
    const scoped = await s3.key({ drives: ["pub"] });
    await put(everything);
    expect((await s3.ask("GET", "/pub/private")).code).toBe("AccessDenied");
    expect((await s3.ask("PUT", "/pub", { query: "policy=", body: "{}", as: scoped })).code).toBe("AccessDenied");
    expect((await s3.ask("DELETE", "/pub", { query: "policy=", as: scoped })).code).toBe("AccessDenied");
    expect((await s3.ask("GET", "/pub", { query: "policy=" })).status).toBe(200);
    expect((await s3.ask("DELETE", "/pub", { query: "policy=" })).status).toBe(204);
    expect((await s3.ask("GET", "/pub/private")).status).toBe(200);
  });

  test("asks for the address of the connection, whatever headers say", async () => {
    await put({ ...reads, Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } });
    const headers = { "x-forwarded-for": "10.0.0.1", forwarded: "for=10.0.0.1" };
    expect((await anonymous("GET", "/pub/private", { headers })).code).toBe("AccessDenied");
    await put({ ...reads, Condition: { IpAddress: { "aws:SourceIp": "127.0.0.0/8" } } });
    expect(await codes("/pub/private")).toEqual([200]);
  });

  test("that is public is refused, or lets in nobody, where it is blocked", async () => {
    await block("BlockPublicPolicy");
    expect((await put(reads)).code).toBe("AccessDenied");
    await block();
    await put(reads);
    expect(await codes("/pub/private")).toEqual([200]);
    await block("RestrictPublicBuckets");
    expect(await codes("/pub/private")).toEqual(["AccessDenied"]);
  });
});

function md5(text: string): string {
  return createHash("md5").update(text).digest("base64");
}
