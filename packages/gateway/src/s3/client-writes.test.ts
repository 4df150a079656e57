import { createHash } from "node:crypto";
import { StorageError } from "@cairn/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chunkedBody } from "./auth/testing/chunked-body.ts";
import { percent, signHeader } from "./auth/testing/sign.ts";
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

describe("bodies", () => {
  test.each([
    ["S2 unsigned chunks with a trailer", "unsigned chunks and trailer"],
    ["S3 signed chunks with a trailer", "signed chunks and trailer"],
    ["S4 signed chunks", "signed chunks"],
    ["S5 UNSIGNED-PAYLOAD", "header, UNSIGNED-PAYLOAD"],
    ["S5 a signed body", "header, signed body"],
    ["S5 a presigned request", "presigned"],
  ])("%s come without their framing", async (row, name) => {
    const body = `the content of ${row}`;
    const answer = await s3.ask("PUT", "/photos/framed", { body, form: formOf(name) });
    expect([answer.status, answer.headers.etag]).toEqual([200, `"${md5(body)}"`]);
    const read = await s3.ask("GET", "/photos/framed");
    expect([read.text, read.headers["content-length"]]).toEqual([body, String(body.length)]);
    expect(read.headers["content-encoding"]).toBeUndefined();
  });

  test("S2 what else the content is encoded with is kept", async () => {
    const signer = s3.signer(s3.owner);
    const headers = { host: s3.host, "content-encoding": "gzip,aws-chunked", "x-amz-decoded-content-length": "3" };
    const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const signed = signHeader(signer, { method: "PUT", path: "/photos/gzip", headers, payload });
    await s3.send(signed, chunkedBody([Buffer.from("abc")], { signer, seed: signed.signature }));
    expect((await s3.ask("HEAD", "/photos/gzip")).headers["content-encoding"]).toBe("gzip");
  });

  test("S4 chunks may be of any size, the last of none", async () => {
    const signer = s3.signer(s3.owner);
    const chunks = [8192, 65_536, 8192, 70_001, 1].map((length, index) => Buffer.alloc(length, index));
    const headers = { host: s3.host, "x-amz-decoded-content-length": String(Buffer.concat(chunks).length) };
    const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const signed = signHeader(signer, { method: "PUT", path: "/photos/sizes", headers, payload });
    expect((await s3.send(signed, chunkedBody(chunks, { signer, seed: signed.signature }))).status).toBe(200);
    expect((await s3.ask("GET", "/photos/sizes")).bytes.equals(Buffer.concat(chunks))).toBe(true);
  });

  test("S8 a client that waits to be asked for its body is told to send it when it may, and refused when not", async () => {
    const headers = { host: s3.host, expect: "100-continue", "content-length": "4" };
    const request = { method: "PUT", path: "/photos/expected", headers, payload: "UNSIGNED-PAYLOAD" };
    const good = signHeader(s3.signer(s3.owner), request, ["host", "x-amz-content-sha256", "x-amz-date"]);
    expect(await s3.talk(written(good))).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    expect(await s3.talk(`${written(good)}body`)).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
    const bad = signHeader({ ...s3.signer(s3.owner), secretAccessKey: "x" }, request);
    expect(await s3.talk(written(bad))).toMatch(/^HTTP\/1.1 403 Forbidden/);
    const reading = await s3.key({ scopes: ["read"] });
    expect(await s3.talk(written(signHeader(s3.signer(reading), request)))).toMatch(/^HTTP\/1.1 403 Forbidden/);
  });

  test("S28 a wrong Content-MD5 is BadDigest, a malformed one InvalidDigest, and neither leaves anything", async () => {
    const sums = { BadDigest: "AAAAAAAAAAAAAAAAAAAAAA==", InvalidDigest: "not base64" };
    for (const [code, sum] of Object.entries(sums)) {
      expect(await put("digest", "x", { "content-md5": sum })).toMatchObject({ status: 400, code });
      expect((await s3.ask("HEAD", "/photos/digest")).status).toBe(404);
    }
  });
});

describe("conditions", () => {
  const none = { "if-none-match": "*" };
  const begin = async (key: string): Promise<{ query: string; document: string }> => {
    const { text } = await s3.ask("POST", at(key), { query: "uploads=" });
    const id = /<UploadId>([^<]+)/.exec(text)?.[1] ?? "";
    const part = await s3.ask("PUT", at(key), { query: `partNumber=1&uploadId=${id}`, body: "part" });
    const { etag = "" } = part.headers;
    const document = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
    return { query: `uploadId=${id}`, document };
  };

  test("S10 S34 an object is made only where there is none: by Put, Copy and Complete", async () => {
    await put("there", "1");
    const { query, document } = await begin("there");
    const copy = { "x-amz-copy-source": "photos/there" };
    const answers = [
      await put("there", "2", none),
      await s3.ask("PUT", "/photos/there", { headers: { ...copy, ...none, "x-amz-metadata-directive": "REPLACE" } }),
      await s3.ask("POST", "/photos/there", { query, body: document, headers: none }),
    ];
    expect(answers.map(({ status, code }) => [status, code])).toEqual(Array(3).fill([412, "PreconditionFailed"]));
    expect((await s3.ask("GET", "/photos/there")).text).toBe("1");
    expect((await put("made once", "2", none)).status).toBe(200);
    expect((await s3.ask("PUT", "/photos/copied%20once", { headers: { ...copy, ...none } })).status).toBe(200);
  });

  test("S10 an object is changed only if it is the one that was seen: by Put, Copy, Complete and Delete", async () => {
    await put("seen", "1");
    const match = { "if-match": '"00000000000000000000000000000000"' };
    const { query, document } = await begin("seen");
    const copy = { "x-amz-copy-source": "photos/seen", "x-amz-metadata-directive": "REPLACE" };
    const answers = [
      await put("seen", "2", match),
      await s3.ask("PUT", "/photos/seen", { headers: { ...copy, ...match } }),
      await s3.ask("POST", "/photos/seen", { query, body: document, headers: match }),
      await s3.ask("DELETE", "/photos/seen", { headers: match }),
    ];
    expect(answers.map(({ status, code }) => [status, code])).toEqual(Array(4).fill([412, "PreconditionFailed"]));
    expect(await put("never seen", "2", match)).toMatchObject({ status: 404, code: "NoSuchKey" });
    expect(await s3.ask("DELETE", "/photos/never", { headers: match })).toMatchObject({ code: "NoSuchKey" });
    const right = { "if-match": `"${md5("1")}"` };
    expect((await put("seen", "3", right)).status).toBe(200);
    expect((await s3.ask("DELETE", "/photos/seen", { headers: { "if-match": md5("3") } })).status).toBe(204);
  });

  test("S10 of many who make an object where there was none one has made it", async () => {
    const answers = await Promise.all(Array.from({ length: 16 }, (_, index) => put("race", `${index}`, none)));
    const made = answers.filter(({ status }) => status === 200);
    expect(made.length).toBe(1);
    expect(answers.filter(({ status }) => status === 412 || status === 409).length).toBe(15);
    expect(`"${md5((await s3.ask("GET", "/photos/race")).text)}"`).toBe(made[0]?.headers.etag);
  });

  test("S16 an ETag is taken with quotes, without, and as a weak one where that may be", async () => {
    await put("tag", "1");
    const tag = md5("1");
    const read = async (headers: Record<string, string>) => (await s3.ask("GET", "/photos/tag", { headers })).status;
    expect(await read({ "if-match": tag })).toBe(200);
    expect(await read({ "if-match": `"${tag}"` })).toBe(200);
    expect(await read({ "if-none-match": tag })).toBe(304);
    expect(await read({ "if-none-match": `W/"${tag}"` })).toBe(304);
    expect(await read({ "if-match": `"x", "${tag}"` })).toBe(200);
    expect(await read({ "if-match": '"x"' })).toBe(412);
  });

  test("S21 a completion that takes long says so with spaces, and how it ended in its document", async () => {
    let gate: Promise<unknown> = Promise.resolve();
    const slow = await TestS3.start(({ env, metadata }) => ({
      env: { ...env, clock: quick(env.clock) },
      metadata: new Proxy(metadata, {
        get: (target, name) => {
          const value = Reflect.get(target, name) as unknown;
          if (typeof value !== "function") return value;
          const wait = name === "completeObject" ? gate : undefined;
          return async (...args: unknown[]) => {
            await wait;
            return await (value as (...args: unknown[]) => unknown).apply(target, args);
          };
        },
      }),
    }));
    await using _door = slow;
    await slow.ask("PUT", "/photos");
    const begun = await slow.ask("POST", "/photos/slow", { query: "uploads=" });
    const query = `uploadId=${/<UploadId>([^<]+)/.exec(begun.text)?.[1]}`;
    const { headers } = await slow.ask("PUT", "/photos/slow", { query: `partNumber=1&${query}`, body: "1" });
    const list = (etag?: string) =>
      `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`;
    gate = Promise.reject(new StorageError("unavailable", "complete", "a test"));
    gate.catch(() => {});
    expect(await slow.ask("POST", "/photos/slow", { query, body: list(headers.etag) })).toMatchObject({ status: 503 });
    for (const fails of [true, false]) {
      gate = new Promise((resolve, reject) => {
        setTimeout(() => (fails ? reject(new StorageError("unavailable", "complete", "a test")) : resolve(1)), 100);
      });
      const { status, text } = await slow.ask("POST", "/photos/slow", { query, body: list(headers.etag) });
      expect(status).toBe(200);
      expect(text).toMatch(fails ? /^<\?xml.*\n +<Error><Code>ServiceUnavailable/ : /^<\?xml.*\n +<CompleteMultip/);
    }
    expect((await slow.ask("GET", "/photos/slow")).text).toBe("1");
  });

  test("S22 completing again gets the same answer", async () => {
    const { query, document } = await begin("twice");
    const first = await s3.ask("POST", "/photos/twice", { query, body: document });
    expect([first.status, first.code]).toEqual([200, undefined]);
    expect((await s3.ask("POST", "/photos/twice", { query, body: document })).text).toBe(first.text);
  });

  test("S23 parts are numbered from 1 to 10,000, in order, at least 5 MiB but for the last", async () => {
    const { text } = await s3.ask("POST", "/photos/parts", { query: "uploads=" });
    const id = /<UploadId>([^<]+)/.exec(text)?.[1] ?? "";
    const upload = (number: string | number, body = "x") =>
      s3.ask("PUT", "/photos/parts", { query: `partNumber=${number}&uploadId=${id}`, body });
    for (const number of [0, 10_001, -1, "x", ""])
      expect(await upload(number)).toMatchObject({ status: 400, code: "InvalidArgument" });
    const tags = new Map<number, string>();
    for (const number of [1, 2, 10_000]) tags.set(number, (await upload(number)).headers.etag ?? "");
    const complete = (...numbers: number[]) => {
      const parts = numbers.map(
        (it) => `<Part><PartNumber>${it}</PartNumber><ETag>${tags.get(it) ?? "x"}</ETag></Part>`,
      );
      const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
      return s3.ask("POST", "/photos/parts", { query: `uploadId=${id}`, body });
    };
    expect((await complete(2, 1)).code).toBe("InvalidPartOrder");
    expect((await complete(1, 2)).code).toBe("EntityTooSmall");
    expect((await complete(3)).code).toBe("InvalidPart");
    expect((await complete()).code).toBe("MalformedXML");
    tags.set(1, (await upload(1, "")).headers.etag ?? "");
    expect((await complete(1)).status).toBe(200);
    expect((await s3.ask("HEAD", "/photos/parts")).headers["content-length"]).toBe("0");
  });
});

describe("what objects carry", () => {
  test("S11 S35 keys with every character come back byte for byte", async () => {
    const keys = [
      ..."a+b,a b,a%b,a%2Bb,a&b,a=b,a'b,a:b,a//b,/a,a/,..,./a,a/../b,😀,\u00e9,e\u0301,tab\there,new\nline,urn:oid:17".split(
        ",",
      ),
    ].map((key) => `keys/${key}`);
    for (const key of keys) {
      expect((await put(key)).status, key).toBe(200);
      expect((await s3.ask("HEAD", at(key))).headers["content-length"], key).toBe(String(Buffer.byteLength(key)));
    }
    for (const key of keys) expect((await s3.ask("GET", at(key))).text).toBe(key);
    const { text } = await s3.ask("GET", "/photos", { query: "list-type=2&encoding-type=url&prefix=keys%2F" });
    const listed = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) => key);
    expect(listed.map((key) => decodeURIComponent(key.replaceAll("+", "%20")))).toEqual(
      [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    expect(listed).toContain("keys/a+b");
    expect(listed).toContain("keys/a%2Bb");
  });

  test("S11 a plus in the path is a plus, and dots are no way up", async () => {
    await put("p+q/..", "plus");
    expect((await s3.ask("GET", "/photos/p+q/..")).text).toBe("plus");
    expect((await s3.ask("GET", "/photos/p%20q/..")).code).toBe("NoSuchKey");
  });

  test.each([
    ["photos/source%20+%2B", 200],
    ["/photos/source%20+%2B", 200],
    ["photos%2Fsource%20%2B%2B", 200],
    ["photos/source ++", 200],
    ["photos/source%2520++", 404],
    ["photos", 400],
    ["photos/", 400],
    ["/", 400],
    ["photos/%zz", 400],
    ["photos/source%20++?other=1", 400],
    ["photos/source%20++?versionId=junk", 400],
  ])("S12 the copy source %s is decoded once: %i", async (source, status) => {
    await put("source ++", "copied");
    const answer = await s3.ask("PUT", "/photos/target", { headers: { "x-amz-copy-source": source } });
    expect(answer.status, answer.text).toBe(status);
    if (status === 200) expect((await s3.ask("GET", "/photos/target")).text).toBe("copied");
  });

  test("S25 tags may be an empty header, are URL-encoded, and at most ten", async () => {
    const tagged = (text: string) => put("tagged", "x", { "x-amz-tagging": text });
    expect((await tagged("")).status).toBe(200);
    const ten = Array.from({ length: 10 }, (_, index) => `k${index}=${percent("ä ö+")}`);
    expect((await tagged(ten.join("&"))).status).toBe(200);
    expect((await s3.ask("GET", "/photos/tagged", { query: "tagging=" })).text).toContain("<Value>ä ö+</Value>");
    for (const wrong of [[...ten, "k10=1"].join("&"), `${"k".repeat(129)}=1`, `k=${"v".repeat(257)}`, "a=1&a=2"])
      expect((await tagged(wrong)).code).toBe("InvalidTag");
  });

  test("S26 metadata come back in small letters, with their bytes, several of one name as one", async () => {
    const headers = { "X-Amz-Meta-Name": "=?UTF-8?Q?=C3=A4?=", "x-amz-meta-latin": "ä\xff", "x-amz-meta-empty": "" };
    expect((await put("meta", "x", headers)).status).toBe(200);
    const read = (await s3.ask("HEAD", "/photos/meta")).headers;
    expect(read).toMatchObject({ "x-amz-meta-name": "=?UTF-8?Q?=C3=A4?=", "x-amz-meta-latin": "ä\xff" });
    const many = { host: s3.host, "x-amz-meta-many": "1,2" };
    const signed = signHeader(s3.signer(s3.owner), { method: "PUT", path: "/photos/meta", headers: many });
    const twice = { ...signed, headers: { ...signed.headers, "x-amz-meta-many": ["1", "2"] } };
    expect((await s3.send(twice as never, Buffer.alloc(0))).status).toBe(200);
    expect((await s3.ask("HEAD", "/photos/meta")).headers["x-amz-meta-many"]).toBe("1,2");
    expect((await put("meta", "x", { "x-amz-meta-a": "x".repeat(2047) })).status).toBe(200);
    expect((await put("meta", "x", { "x-amz-meta-a": "x".repeat(2048) })).code).toBe("MetadataTooLarge");
  });

  test("S33 a marker of a folder stands beside what is in it, and copying onto itself sets metadata", async () => {
    await put("dir/", "");
    await put("dir/file", "1");
    await put("dir", "2");
    const { text } = await s3.ask("GET", "/photos", { query: "list-type=2&prefix=dir" });
    expect([...text.matchAll(/<Key>([^<]*)/g)].map(([, key]) => key)).toEqual(["dir", "dir/", "dir/file"]);
    expect((await s3.ask("HEAD", "/photos/dir/")).headers["content-length"]).toBe("0");
    const headers = {
      "x-amz-copy-source": "photos/dir/file",
      ...{ "x-amz-metadata-directive": "REPLACE", "x-amz-meta-mtime": "1.5" },
    };
    expect((await s3.ask("PUT", "/photos/dir/file", { headers })).status).toBe(200);
    const read = await s3.ask("GET", "/photos/dir/file");
    expect([read.text, read.headers["x-amz-meta-mtime"]]).toEqual(["1", "1.5"]);
    delete (headers as Record<string, string>)["x-amz-metadata-directive"];
    expect((await s3.ask("PUT", "/photos/dir/file", { headers })).code).toBe("InvalidRequest");
  });
});

/** Waits of five seconds are over at once. */
function quick(clock: TestS3["gateway"]["env"]["clock"]): typeof clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    after: (ms, callback) => clock.after(ms === 5000 ? 5 : ms, callback),
  };
}
