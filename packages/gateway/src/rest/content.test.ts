import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { idOf, TestGateway } from "../testing/test-gateway.ts";

let gateway: TestGateway;
const bytes = randomBytes(200_000);
let file: string;
let etag: string;

beforeAll(async () => {
  gateway = await TestGateway.start();
  const put = await gateway.put("docs/report.bin", bytes, { headers: { "content-type": "application/x-report" } });
  file = idOf(put);
  etag = put.headers.etag ?? "";
});

afterAll(() => gateway[Symbol.asyncDispose]());

describe("reading a file", () => {
  test("gives the bytes that were written, with what describes them", async () => {
    const got = await gateway.call(`/files/${file}/content`);
    expect(got.status).toBe(200);
    expect(got.bytes.equals(bytes)).toBe(true);
    expect(got.headers).toMatchObject({
      "content-length": "200000",
      "content-type": "application/x-report",
      "accept-ranges": "bytes",
      etag: expect.stringMatching(/^"sha256-.+"$/),
      "content-disposition": `attachment; filename="report.bin"; filename*=UTF-8''report.bin`,
      "cache-control": "private, no-cache",
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox",
    });
    expect(Date.parse(got.headers["last-modified"] ?? "")).toBeGreaterThan(0);
  });

  test("HEAD tells the same without the bytes, and knows no ranges", async () => {
    const got = await gateway.call(`/files/${file}/content`, { method: "HEAD", headers: { range: "bytes=0-9" } });
    expect([got.status, got.bytes.length, got.headers["content-length"], got.headers.etag]).toEqual([
      200,
      0,
      "200000",
      etag,
    ]);
  });

  test.each([
    ["bytes=0-0", 0, 1],
    ["bytes=65535-65536", 65_535, 2],
    ["bytes=199999-", 199_999, 1],
    ["bytes=-5", 199_995, 5],
    ["bytes=-999999", 0, 200_000],
    ["bytes=100-999999", 100, 199_900],
    ["BYTES=3-5", 3, 3],
  ])("%s gives that part and says which it is", async (range, offset, length) => {
    const got = await gateway.call(`/files/${file}/content`, { headers: { range } });
    expect([got.status, got.headers["content-range"]]).toEqual([206, `bytes ${offset}-${offset + length - 1}/200000`]);
    expect(got.bytes.equals(bytes.subarray(offset, offset + length))).toBe(true);
  });

  test.each(["bytes=0-1,5-6", "bytes=5-3", "lines=1-2", "bytes=", "bytes=x-y", "bytes=-"])(
    "%s is answered with the whole",
    async (range) => {
      const got = await gateway.call(`/files/${file}/content`, { headers: { range } });
      expect([got.status, got.bytes.length, got.headers["content-range"]]).toEqual([200, 200_000, undefined]);
    },
  );

  test.each(["bytes=200000-", "bytes=-0", "bytes=9999999999999999-"])(
    "%s lies outside: 416 with the size",
    async (range) => {
      const got = await gateway.call(`/files/${file}/content`, { headers: { range } });
      expect([got.status, got.headers["content-range"], got.json["code"]]).toEqual([
        416,
        "bytes */200000",
        "range_not_satisfiable",
      ]);
      expect(got.headers["content-type"]).toMatch(/^application\/problem\+json/);
      expect(got.headers["etag"]).toBeUndefined();
    },
  );

  test("If-Range gives the part only while the file is what the client has", async () => {
    const ask = (ifRange: string) =>
      gateway.call(`/files/${file}/content`, { headers: { range: "bytes=0-9", "if-range": ifRange } });
    expect((await ask(etag)).status).toBe(206);
    expect((await ask('"sha256-other"')).status).toBe(200);
    expect((await ask(`W/${etag}`)).status).toBe(200);
    expect((await ask(new Date().toUTCString())).status).toBe(200);
  });

  test("a client that has the bytes already is told so and gets none", async () => {
    for (const header of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const got = await gateway.call(`/files/${file}/content`, { headers: { "if-none-match": header } });
      expect([got.status, got.bytes.length, got.headers.etag]).toEqual([304, 0, etag]);
    }
    const since = { "if-modified-since": new Date(Date.now() + 60_000).toUTCString() };
    expect((await gateway.call(`/files/${file}/content`, { headers: since })).status).toBe(304);
    expect(
      (await gateway.call(`/files/${file}/content`, { headers: { "if-none-match": '"x"', ...since } })).status,
    ).toBe(200);
    expect((await gateway.call(`/files/${file}/content`, { headers: { "if-match": '"x"' } })).status).toBe(412);
  });

  test("an empty file has no bytes, and no range either", async () => {
    const id = idOf(await gateway.put("empty", ""));
    const got = await gateway.call(`/files/${id}/content`);
    expect([got.status, got.bytes.length, got.headers["content-length"]]).toEqual([200, 0, "0"]);
    const part = await gateway.call(`/files/${id}/content`, { headers: { range: "bytes=0-" } });
    expect([part.status, part.headers["content-range"]]).toEqual([416, "bytes */0"]);
  });

  test("an older version is read by its id; a folder has no bytes", async () => {
    const id = idOf(await gateway.put("versions.txt", "one"));
    await gateway.call(`/files/${id}/content`, { method: "PUT", bytes: Buffer.from("two") });
    const { items } = (await gateway.call(`/files/${id}/versions`)).json;
    expect(items.map(({ current }) => current)).toEqual([true, false]);
    const old = await gateway.call(`/files/${id}/content?version=${items[1]?.["version"]}`);
    expect(old.bytes.toString()).toBe("one");
    expect((await gateway.call(`/files/${id}/content`)).bytes.toString()).toBe("two");
    const folder = await gateway.call("/files?path=/docs");
    expect((await gateway.call(`/files/${folder.json["id"]}/content`)).json).toMatchObject({ status: 400 });
  });

  test.each(['a"b.txt', "über 100% ’.pdf", "semi;colon.txt", "naïve\u200b.txt", "日本語.txt", "back\\slash"])(
    "the name %j cannot break out of its header",
    async (name) => {
      const put = await gateway.put(encodeURIComponent(name), "x");
      if (put.status === 400) return;
      const { headers } = await gateway.call(`/files/${idOf(put)}/content`);
      const disposition = headers["content-disposition"] ?? "";
      expect(disposition).toMatch(
        /^attachment; filename="[\x20\x21\x23-\x5b\x5d-\x7e]*"; filename\*=UTF-8''[\w.!#$&+^`|~%-]+$/,
      );
      expect(decodeURIComponent(disposition.split("''")[1] ?? "")).toBe(name);
    },
  );

  test.each(["text/html\nset-cookie: a", "x".repeat(300), "text/html; charset=utf-8; x=<script>", "nonsense"])(
    "a declared type such as %j is not handed on",
    async (type) => {
      const put = await gateway
        .put(`type-${createHash("md5").update(type).digest("hex")}`, "x", { headers: { "content-type": type } })
        .catch(() => undefined);
      if (put === undefined || put.status === 415) return;
      expect((await gateway.call(`/files/${idOf(put)}/content`)).headers["content-type"]).toBe(
        "application/octet-stream",
      );
    },
  );
});

describe("writing a file", () => {
  test("a body of unknown length is taken as it comes", async () => {
    const put = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = httpRequest(
        {
          port: gateway.port,
          method: "PUT",
          path: "/api/v1/files/by-path/chunked.bin",
          headers: { authorization: `Bearer ${gateway.tokens.write}` },
        },
        (incoming) => {
          incoming.resume();
          resolve(incoming.statusCode);
        },
      );
      outgoing.on("error", reject);
      outgoing.write(bytes.subarray(0, 70_000));
      outgoing.end(bytes.subarray(70_000));
    });
    expect(put).toBe(200);
    const { json } = await gateway.call("/files?path=/chunked.bin");
    expect([json["size"], json["contentType"]]).toEqual([200_000, undefined]);
  });

  test("what a name does that is taken, the request says; refused is refused before the body", async () => {
    const first = await gateway.put("taken.txt", "1");
    const again = await gateway.put("taken.txt", "2");
    expect(again.json).toMatchObject({
      status: 409,
      code: "name_conflict",
      retryable: false,
      details: { existing: { id: idOf(first), kind: "file", path: "/taken.txt" } },
    });
    expect((await gateway.put("taken.txt?onConflict=rename", "2")).json["name"]).not.toBe("taken.txt");
    expect((await gateway.put("taken.txt?onConflict=version", "2")).json["id"]).toBe(idOf(first));
    expect((await gateway.put("docs?onConflict=version", "2")).status).toBe(409);
    const started = await gateway.talk(
      `PUT /api/v1/files/by-path/taken.txt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.tokens.write}\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect(started).toMatch(/^HTTP\/1.1 409 /);
  });

  test("conditions decide: create only, and only over what the client knows", async () => {
    const created = await gateway.put("conditions.txt", "1", { headers: { "if-none-match": "*" } });
    const id = idOf(created);
    expect(
      (await gateway.put("conditions.txt?onConflict=version", "2", { headers: { "if-none-match": "*" } })).status,
    ).toBe(412);
    const over = (header: string, body: string) =>
      gateway.put("conditions.txt?onConflict=version", body, { headers: { "if-match": header } });
    expect((await over('"sha256-old"', "2")).status).toBe(412);
    expect((await over(`W/${created.headers.etag}`, "2")).status).toBe(412);
    const second = await over(`"sha256-old", ${created.headers.etag}`, "2");
    expect([second.status, second.json["id"]]).toEqual([200, id]);
    expect((await over(created.headers.etag ?? "", "3")).status).toBe(412);
    expect((await over("*", "3")).status).toBe(200);
    expect((await gateway.put("not-there.txt", "x", { headers: { "if-match": "*" } })).status).toBe(412);
    expect((await gateway.call(`/files/${id}/content`)).bytes.toString()).toBe("3");
  });

  test("a request that is repeated with its key gets its first answer, and writes nothing twice", async () => {
    const headers = { "idempotency-key": "upload 7 of mine" };
    const first = await gateway.put("new%20folder/once.txt?onConflict=rename", "once", { headers });
    const second = await gateway.put("new%20folder/once.txt?onConflict=rename", "once", { headers });
    expect(second.json).toEqual(first.json);
    const failing = { "idempotency-key": "upload 8 of mine" };
    await gateway.put("fails.txt", "once", { headers: failing });
    expect((await gateway.put("fails.txt", "once", { headers: failing })).status).toBe(200);
    const other = await gateway.put("fails.txt", "once", { headers: failing, token: gateway.tokens.write });
    expect(other.status).toBe(409);
  });

  test("the same bytes again add no version", async () => {
    const id = idOf(await gateway.put("same.txt", "same"));
    await gateway.call(`/files/${id}/content`, { method: "PUT", bytes: Buffer.from("same") });
    expect((await gateway.call(`/files/${id}/versions`)).json.items).toHaveLength(1);
  });

  test("a client that goes away in the middle leaves nothing", async () => {
    const socket = connect(gateway.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write(
      `PUT /api/v1/files/by-path/broken.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.tokens.write}\r\nContent-Length: 200000\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 150_000));
    await new Promise((resolve) => setTimeout(resolve, 200));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await gateway.call("/files?path=/broken.bin")).status).toBe(404);
  });

  test("a body that ends before its announced length is no file", async () => {
    await gateway.talk(
      `PUT /api/v1/files/by-path/short.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.tokens.write}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    );
    expect((await gateway.call("/files?path=/short.bin")).status).toBe(404);
  });

  test.each(["..", "a/../b", "a//b", "a%00b", "%ff", ".", "x".repeat(256), "a/", "%ed%a0%80"])(
    "%s is no path for a file, and is refused before the body",
    async (path) => {
      const got = await gateway.talk(
        `PUT /api/v1/files/by-path/${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.tokens.write}\r\nContent-Length: 5\r\n\r\n`,
      );
      expect(got).toMatch(/^HTTP\/1.1 400 [\s\S]*application\/problem\+json/);
    },
  );

  test("a file in the trash takes no version", async () => {
    const id = idOf(await gateway.put("to-trash.txt", "1"));
    await gateway.call(`/files/${id}`, { method: "DELETE" });
    const got = await gateway.call(`/files/${id}/content`, { method: "PUT", bytes: Buffer.from("2") });
    expect(got.json).toMatchObject({ status: 409, hint: "Restore it first." });
  });
});
