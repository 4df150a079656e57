import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestGateway } from "../testing/test-gateway.ts";

const logged: string[] = [];
let gateway: TestGateway;
let head: string;

beforeAll(async () => {
  gateway = await TestGateway.start({ logged });
  head = `Host: x\r\nAuthorization: Bearer ${gateway.tokens.admin}\r\n`;
});

afterAll(() => gateway[Symbol.asyncDispose]());

/** Every answer is a problem with the id of its request, and tells nothing about the inside. */
function expectProblem(answer: string, status: number): void {
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch(/content-type: application\/problem\+json/i);
  const id = /x-request-id: (\S+)/i.exec(answer)?.[1];
  expect(id).toBeTruthy();
  expect(answer).toContain(`"request_id":"${id}"`);
  expect(answer).not.toMatch(/node_modules|\.ts:|\.js:|SELECT|\/tmp\//);
}

function post(body: string | Buffer, type = "application/json", path = "/api/v1/files"): Promise<string> {
  const bytes = Buffer.from(body);
  const start = `POST ${path} HTTP/1.1\r\n${head}Content-Type: ${type}\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  return gateway.talk(Buffer.concat([Buffer.from(start), bytes]));
}

describe("bodies", () => {
  test.each([
    ["not JSON", '{"path":'],
    ["depth of 100,000", "[".repeat(100_000) + "]".repeat(100_000)],
    ["NaN", '{"path":NaN}'],
    ["another type than the schema's", '{"path":["/a"]}'],
    ["a number where text is wanted", '{"path":5}'],
    ["null where text is wanted", '{"parentId":null,"name":null}'],
    ["no object", '"text"'],
    ["a prototype", '{"__proto__":{"polluted":1},"path":"/p1"}'],
    ["a constructor", '{"constructor":{"prototype":{"polluted":1}},"path":"/p2"}'],
    ["a lone surrogate", '{"path":"/a\\ud800"}'],
    ["NUL", '{"path":"/a\\u0000b"}'],
    ["neither path nor name", "{}"],
    ["an empty parent", '{"parentId":"","name":"x"}'],
    ["a name with a slash", '{"parentId":"f_00000000000000000000000000","name":"a/b"}'],
    ["a path upwards", '{"path":"/../etc"}'],
    ["a path that does not begin at the root", '{"path":"a/b"}'],
  ])("with %s are refused as 400", async (_what, body) => {
    expectProblem(await post(body), 400);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("that are not UTF-8 are refused as 400", async () => {
    expectProblem(
      await post(Buffer.from([0x7b, 0x22, 0x70, 0x61, 0x74, 0x68, 0x22, 0x3a, 0x22, 0x2f, 0xff, 0x22, 0x7d])),
      400,
    );
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "nonsense",
    "application/json\ta",
  ])("of type %s are refused as 415", async (type) => expectProblem(await post('{"path":"/a"}', type), 415));

  test("over the limit are refused as 413, whether they say so or not", async () => {
    expectProblem(await post(`{"path":"/${"x".repeat(1_100_000)}"}`), 413);
    const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
    expectProblem(
      await gateway.talk(
        `POST /api/v1/files HTTP/1.1\r\n${head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`,
      ),
      413,
    );
  });

  test("with a content encoding are never unpacked", async () => {
    for (const path of ["/api/v1/files", "/api/v1/data/groups"])
      expectProblem(
        await gateway.talk(`POST ${path} HTTP/1.1\r\n${head}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc`),
        415,
      );
  });

  test("that are twice as long as they say do not become a second request's beginning that passes", async () => {
    const answer = await gateway.talk(
      `POST /api/v1/files HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/cluster HTTP/1.1\r\n${head}\r\n`,
    );
    expectProblem(answer, 400);
    expect(answer.match(/^HTTP\/1.1/gm)).toHaveLength(1);
  });

  test("unknown members are ignored", async () => {
    const got = await gateway.call("/files", { method: "POST", body: { path: "/known", unknown: [1, { a: 2 }] } });
    expect(got.status).toBe(201);
  });
});

describe("request lines and headers", () => {
  test.each([
    ["malformed escapes in a path", "GET /api/v1/files/%zz HTTP/1.1", 400],
    ["no UTF-8 in a path", "GET /api/v1/files/%ff/children HTTP/1.1", 400],
    ["no UTF-8 in a query", "GET /api/v1/files?path=/%ff HTTP/1.1", 400],
    ["malformed escapes in a query", "GET /api/v1/files?path=%2 HTTP/1.1", 400],
    ["a parameter given twice", "GET /api/v1/files?path=/a&path=/b HTTP/1.1", 400],
    ["a prototype in the query", "GET /api/v1/files?__proto__=1&constructor=2 HTTP/1.1", 400],
    ["a page of no size", "GET /api/v1/trash?pageSize=0 HTTP/1.1", 400],
    ["a page too large", "GET /api/v1/trash?pageSize=1001 HTTP/1.1", 400],
    ["a page size that is no number", "GET /api/v1/trash?pageSize=ten HTTP/1.1", 400],
    ["a cursor that nobody gave", "GET /api/v1/trash?cursor=..%2F..%2Fetc HTTP/1.1", 400],
    ["a cursor of chunks that is none", "GET /api/v1/files/f_0/chunks?cursor=-1 HTTP/1.1", 400],
    ["SQL in an id", "GET /api/v1/files/f_0'%20OR%201=1 HTTP/1.1", 404],
    ["SQL in a name", "GET /api/v1/files?path=/'%3B%20DROP%20TABLE%20entry HTTP/1.1", 404],
    ["wildcards in a name", "GET /api/v1/files?path=/%25 HTTP/1.1", 404],
    ["an unknown route", "GET /api/v1/nothing HTTP/1.1", 404],
    ["an unknown method", "PROPFIND /api/v1/files HTTP/1.1", 404],
    ["a method on the wrong route", "PUT /api/v1/cluster HTTP/1.1", 404],
    ["an unknown drive", "GET /api/v1/files?path=/&drive=other HTTP/1.1", 404],
    ["an inherited name as drive", "GET /api/v1/files?path=/&drive=constructor HTTP/1.1", 404],
    ["a senseless age", "DELETE /api/v1/trash?olderThan=yesterday HTTP/1.1", 400],
    ["a path that is too long", `GET /api/v1/files?path=/${"x/".repeat(2100)} HTTP/1.1`, 400],
    ["a method list of an object", "POST /api/v1/data/constructor HTTP/1.1", 404],
  ])("%s: %#", async (_what, line, status) => {
    const answer = await gateway.talk(`${line}\r\n${head}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    if (line.includes("/data/")) expect(answer).toMatch(/^HTTP\/1.1 404/);
    else expectProblem(answer, status);
  });

  test.each([
    ["two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    ["no host", "GET /healthz HTTP/1.1\r\n\r\n"],
    ["two lengths", "POST /api/v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ["space before the colon", "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n"],
    ["a folded header", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"],
    ["an unknown transfer encoding", "POST /api/v1/files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cow\r\n\r\n"],
    ["an absolute target", "GET http://other/healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["no HTTP at all", "hello\r\n\r\n"],
  ])("%s: refused", async (_what, text) => {
    expect(await gateway.talk(text)).toMatch(/^HTTP\/1.1 400 /);
  });

  test("headers over the limit are refused as 431, with the id of the request", async () => {
    expectProblem(await gateway.talk(`GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`), 431);
    expectProblem(
      await gateway.talk(`GET /healthz HTTP/1.1\r\nHost: a\r\n${"X-Many: yyyy\r\n".repeat(5000)}\r\n`),
      431,
    );
  });

  test("a client's own request id is kept when it is harmless, and no other", async () => {
    expect((await gateway.raw("/healthz", { headers: { "x-request-id": "my-id_7" } })).headers["x-request-id"]).toBe(
      "my-id_7",
    );
    for (const id of ["a b", "x".repeat(65), "<script>", ""])
      expect((await gateway.raw("/healthz", { headers: { "x-request-id": id } })).headers["x-request-id"]).toMatch(
        /^req_/,
      );
  });
});

describe("refusals", () => {
  test("a request that is refused does not harm the next one on its connection", async () => {
    const refused = `PUT /api/v1/files/by-path/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n${"GET /evil HTTP/1.1\r\n".repeat(50)}`;
    const answer = await gateway.talk(`${refused}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 401", "HTTP/1.1 200"]);
  });

  test("a client that sends on without end is cut off, but not before it could read the answer", async () => {
    const started = Date.now();
    const answer = await gateway.talk(
      Buffer.concat([
        Buffer.from("PUT /api/v1/files/by-path/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"),
        randomBytes(100_000),
      ]),
      5000,
    );
    expectProblem(answer, 401);
    expect(Date.now() - started).toBeLessThan(4000);
  });

  test("a client that waits to be asked for its body is not asked for one that is refused", async () => {
    const expecting = "Content-Length: 9\r\nExpect: 100-continue\r\n";
    expect(await gateway.talk(`PUT /api/v1/files/by-path/x HTTP/1.1\r\nHost: x\r\n${expecting}\r\n`)).toMatch(
      /^HTTP\/1.1 401/,
    );
    expect(await gateway.talk(`POST /api/v1/files HTTP/1.1\r\nHost: x\r\n${expecting}\r\n`)).toMatch(/^HTTP\/1.1 401/);
    expect(await gateway.talk(`POST /api/v1/data/commit HTTP/1.1\r\nHost: x\r\n${expecting}\r\n`)).toMatch(
      /^HTTP\/1.1 401/,
    );
    expect(await gateway.talk(`PUT /api/v1/files/by-path/asked HTTP/1.1\r\n${head}${expecting}\r\n`)).toMatch(
      /^HTTP\/1.1 100/,
    );
    expect(
      await gateway.talk(`POST /api/v1/files HTTP/1.1\r\n${head}Content-Type: application/json\r\n${expecting}\r\n`),
    ).toMatch(/^HTTP\/1.1 100/);
  });

  test("bodies of reading requests are ignored", async () => {
    const answer = await gateway.talk(
      `GET /api/v1/version HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
  });

  test("answers about private things are not for caches", async () => {
    for (const path of ["/cluster", "/files?path=/", "/tokens", "/nothing"])
      expect((await gateway.call(path)).headers["cache-control"]).toBe("private, no-store");
  });
});

test("no secret is in the log after all this", () => {
  const text = logged.join("");
  for (const secret of Object.values(gateway.tokens)) if (secret) expect(text).not.toContain(secret);
  expect(text).not.toMatch(/"level":50/);
});
