import { createHash } from "node:crypto";
import { StorageError } from "@cairn/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { percent, signHeader } from "./auth/testing/sign.ts";
import { refusalOf } from "./refusal.ts";
import { formOf } from "./testing/auth-forms.ts";
import { type S3Answer, TestS3, written } from "./testing/test-s3.ts";

/** What clients do and expect that other servers get wrong: docs/s3-behaviour.md lists the rows. */
let s3: TestS3;

beforeAll(async () => {
  s3 = await TestS3.start();
  expect((await s3.ask("PUT", "/photos")).status).toBe(200);
});
afterAll(() => s3[Symbol.asyncDispose]());

const at = (key: string): string => `/photos/${key.split("/").map(percent).join("/")}`;
const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const put = (key: string, body = key, headers = {}): Promise<S3Answer> => s3.ask("PUT", at(key), { body, headers });

describe("addresses", () => {
  test.each(["photos.s3.test", "photos.s3.test:7071", "PHOTOS.s3.test.", "photos.s3.test.:7071"])(
    "S9 %s is the bucket",
    async (host) => {
      await put("by host/x", "found");
      expect((await s3.ask("GET", "/by%20host/x", { headers: { host } })).text).toBe("found");
    },
  );

  test.each(["s3.test", "s3.test:7071", "[::1]:7071", "127.0.0.1", "other.example"])(
    "S9 at %s the path names the bucket",
    async (host) => {
      await put("by path", "found");
      expect((await s3.ask("GET", "/photos/by%20path", { headers: { host } })).text).toBe("found");
    },
  );

  test("S9 a bucket may have dots in its name", async () => {
    expect((await s3.ask("PUT", "/", { headers: { host: "a.b.c.s3.test" } })).status).toBe(200);
    expect((await s3.ask("PUT", "/a.b.c/key", { body: "dots" })).status).toBe(200);
    expect((await s3.ask("GET", "/key", { headers: { host: "a.b.c.s3.test:80" } })).text).toBe("dots");
  });

  test("S24 us-east-1 has an empty location, and who signs for elsewhere is told the right region", async () => {
    expect((await s3.ask("GET", "/photos", { query: "location=" })).text).toMatch(/<LocationConstraint[^>]*><\//);
    expect((await s3.ask("HEAD", "/photos")).headers["x-amz-bucket-region"]).toBe("us-east-1");
    const signer = { ...s3.signer(s3.owner), region: "eu-central-1" };
    const answer = await s3.send(signHeader(signer, { method: "GET", path: "/photos", headers: { host: s3.host } }));
    expect(answer).toMatchObject({ status: 400, code: "AuthorizationHeaderMalformed" });
    expect(answer.text).toContain("<Region>us-east-1</Region>");
    expect(answer.headers["x-amz-bucket-region"]).toBe("us-east-1");
  });

  test("S29 parameters and headers that clients add for themselves change nothing", async () => {
    const headers = { "amz-sdk-invocation-id": "1", "amz-sdk-request": "attempt=1", "x-amz-user-agent": "test" };
    const answer = await s3.ask("PUT", "/photos/added", { query: "x-id=PutObject", headers, body: "x" });
    expect(answer.status).toBe(200);
    expect((await s3.ask("GET", "/photos/added", { query: "x-id=GetObject", headers })).text).toBe("x");
  });
});

describe("lists", () => {
  const listed = async (query: string): Promise<{ keys: string[]; prefixes: string[]; answer: S3Answer }> => {
    const answer = await s3.ask("GET", "/lists", { query });
    const all = (pattern: RegExp) => [...answer.text.matchAll(pattern)].map(([, text = ""]) => text);
    const prefixes = all(/<CommonPrefixes><Prefix>([^<]*)/g);
    return { keys: all(/<Key>([^<]*)/g), prefixes, answer };
  };
  const value = ({ text }: S3Answer, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  const keys = ["a", "a--b", "a--c", "b", "c/d", "c/e", "d"];

  beforeAll(async () => {
    await s3.ask("PUT", "/lists");
    for (const key of keys) await s3.ask("PUT", `/lists/${key}`, { body: "x" });
  });

  test("S14 max-keys counts keys and prefixes, is capped at 1,000, and may be 0", async () => {
    const none = await listed("list-type=2&max-keys=0");
    expect([none.keys, value(none.answer, "IsTruncated"), value(none.answer, "KeyCount")]).toEqual([[], "false", "0"]);
    const one = await listed("list-type=2&max-keys=1");
    expect([one.keys, value(one.answer, "IsTruncated")]).toEqual([["a"], "true"]);
    expect(value((await listed("list-type=2&max-keys=5000")).answer, "MaxKeys")).toBe("1000");
    const both = await listed("list-type=2&delimiter=%2F&max-keys=5");
    expect([both.keys, both.prefixes]).toEqual([["a", "a--b", "a--c", "b"], ["c/"]]);
    for (const wrong of ["-1", "ten", "1.5", "99999999999"])
      expect((await listed(`max-keys=${wrong}`)).answer).toMatchObject({ status: 400, code: "InvalidArgument" });
  });

  test("S14 a delimiter may have several characters, or be what no key has", async () => {
    expect(await listed("delimiter=--")).toMatchObject({ keys: ["a", "b", "c/d", "c/e", "d"], prefixes: ["a--"] });
    expect((await listed("delimiter=%01")).keys).toEqual(keys);
    expect((await listed("delimiter=&prefix=")).keys).toEqual(keys);
    const same = await listed("delimiter=%2F&prefix=%2F");
    expect([same.keys, same.prefixes]).toEqual([[], []]);
    expect(value((await listed("delimiter=")).answer, "Delimiter")).toBeUndefined();
  });

  test("S15 a token holds when the key that it names goes and others come, and is stronger than start-after", async () => {
    const first = await listed("list-type=2&max-keys=2");
    const token = percent(value(first.answer, "NextContinuationToken") ?? "");
    await s3.ask("DELETE", "/lists/a--b");
    await s3.ask("PUT", "/lists/a--bb", { body: "x" });
    const second = await listed(`list-type=2&max-keys=2&continuation-token=${token}&start-after=d`);
    expect([second.keys, value(second.answer, "StartAfter")]).toEqual([["a--bb", "a--c"], "d"]);
    expect(value(second.answer, "KeyCount")).toBe("2");
    expect((await listed("list-type=2&continuation-token=junk")).answer.code).toBe("InvalidArgument");
    await s3.ask("DELETE", "/lists/a--bb");
    await s3.ask("PUT", "/lists/a--b", { body: "x" });
  });
});

describe("reads and removals", () => {
  test("S7 DeleteObjects takes either checksum, not none, and at most 1,000 keys", async () => {
    const document = (count: number) =>
      `<Delete>${Array.from({ length: count }, (_, index) => `<Object><Key>gone ${index}</Key></Object>`).join("")}</Delete>`;
    const remove = (body: string, headers = {}) => s3.ask("POST", "/photos", { query: "delete=", body, headers });
    const sum = (body: string) => ({ "content-md5": createHash("md5").update(body).digest("base64") });
    expect(await remove(document(1))).toMatchObject({ status: 400, code: "InvalidRequest" });
    expect((await remove(document(1), sum(document(1)))).text).toContain("<Deleted><Key>gone 0</Key>");
    const sent = await s3.ask("POST", "/photos", {
      query: "delete=",
      body: document(1),
      form: formOf("unsigned chunks and trailer"),
    });
    expect(sent.text).toContain("<Deleted>");
    expect((await remove(document(1000), sum(document(1000)))).status).toBe(200);
    expect((await remove(document(1001), sum(document(1001)))).code).toBe("MalformedXML");
  });

  test("S17 ranges: suffix, open, beyond the end, of nothing, several", async () => {
    await put("range", "0123456789");
    await put("empty", "");
    const read = (range: string, key = "range") => s3.ask("GET", `/photos/${key}`, { headers: { range } });
    expect(await read("bytes=-3")).toMatchObject({ status: 206, text: "789" });
    expect(await read("bytes=7-")).toMatchObject({ status: 206, text: "789" });
    expect((await read("bytes=2-100")).headers["content-range"]).toBe("bytes 2-9/10");
    expect(await read("bytes=10-")).toMatchObject({ status: 416, code: "InvalidRange" });
    expect(await read("bytes=0-0", "empty")).toMatchObject({ status: 416, code: "InvalidRange" });
    expect(await read("bytes=-1", "empty")).toMatchObject({ status: 416 });
    expect(await read("bytes=0-1,3-4")).toMatchObject({ status: 200, text: "0123456789" });
    expect((await s3.ask("GET", "/photos/range", { query: "partNumber=1" })).text).toBe("0123456789");
    expect((await s3.ask("GET", "/photos/range", { query: "partNumber=2" })).code).toBe("InvalidPartNumber");
  });

  test("S18 answers to HEAD have no body, whatever they are, and the connection goes on", async () => {
    await put("head", "body");
    const head = (path: string, headers = {}) =>
      written(signHeader(s3.signer(s3.owner), { method: "HEAD", path, headers: { host: s3.host, ...headers } }));
    const answers = await s3.talk(
      head("/photos/head") +
        head("/photos/none") +
        head("/nowhere") +
        head("/photos/head", { "if-none-match": md5("body") }) +
        head("/photos/head", { "if-match": '"x"' }),
    );
    expect(answers.match(/HTTP\/1.1 \d+/g)?.map((line) => line.slice(-3))).toEqual(["200", "404", "404", "304", "412"]);
    expect(answers).toMatch(/content-length: 4\r\n/i);
    expect(answers).not.toContain("<");
    expect(answers.endsWith("\r\n\r\n")).toBe(true);
  });

  test("S19 removing what is not there is done already, but not in a bucket that is not", async () => {
    expect((await s3.ask("DELETE", "/photos/never")).status).toBe(204);
    expect(await s3.ask("DELETE", "/nowhere/never")).toMatchObject({ status: 404, code: "NoSuchBucket" });
  });

  test("S20 A80 who may not see a bucket is told the same of what is there and of what is not", async () => {
    await put("there", "x");
    const other = await s3.key({ drives: ["lists"] });
    const asked = [at("there"), at("never"), "/nowhere/never"].map((path) => s3.ask("GET", path, { as: other }));
    expect((await Promise.all(asked)).map(({ code }) => code)).toEqual(Array(3).fill("AccessDenied"));
    expect((await s3.ask("GET", at("never"))).code).toBe("NoSuchKey");
  });

  test("S27 what a signed read asks to be answered with is answered", async () => {
    await put("override", "x");
    const query = "response-content-type=text%2Fx&response-content-disposition=attachment%3B%20filename%3D%22a%20b%22";
    const { headers } = await s3.ask("GET", "/photos/override", { query });
    expect(headers).toMatchObject({ "content-type": "text/x", "content-disposition": 'attachment; filename="a b"' });
  });
});

describe("connections", () => {
  test("S30 who has the wrong time is told the right one", async () => {
    const signed = signHeader(s3.signer(s3.owner, -20), { method: "GET", path: "/photos", headers: { host: s3.host } });
    const answer = await s3.send(signed);
    expect(answer).toMatchObject({ status: 403, code: "RequestTimeTooSkewed" });
    const told = Date.parse(/<ServerTime>([^<]+)/.exec(answer.text)?.[1] ?? "");
    expect(Math.abs(told - Date.now())).toBeLessThan(60_000);
  });

  test("S31 too much at once is 503 SlowDown, and what will pass 503 too", () => {
    const codes = (["overloaded", "unavailable", "no-space", "stale"] as const).map((kind) => {
      const { status, code } = refusalOf(new StorageError(kind, "write", "object"));
      return [status, code];
    });
    expect(codes).toEqual([[503, "SlowDown"], ...Array(3).fill([503, "ServiceUnavailable"])]);
  });

  test("S32 a connection is kept longer than clients keep it, and they are told", async () => {
    const { headers } = await s3.ask("HEAD", "/photos");
    expect(headers.connection).toBe("keep-alive");
    expect(Number(/timeout=(\d+)/.exec(String(headers["keep-alive"]))?.[1])).toBeGreaterThanOrEqual(65);
  });
});
