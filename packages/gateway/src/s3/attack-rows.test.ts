import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { percent, presign, signHeader } from "./auth/testing/sign.ts";
import { S3Keys } from "./s3-access.ts";
import { type S3Answer, TestS3, written } from "./testing/test-s3.ts";

/** Attacks on S3 that are no matter of one signature: docs/s3-behaviour.md lists the rows. */
let s3: TestS3;
const logged: string[] = [];

beforeAll(async () => {
  s3 = await TestS3.start(({ env }) => ({ env: { ...env, log: recording(env.log) } }));
  for (const bucket of ["mine", "other"]) expect((await s3.ask("PUT", `/${bucket}`)).status).toBe(200);
  await s3.ask("PUT", "/mine/kept", { body: "kept" });
  await s3.ask("PUT", "/other/secret", { body: "secret" });
});
afterAll(() => s3[Symbol.asyncDispose]());

/** The log, with all that is at least a warning put down. */
function recording(log: TestS3["gateway"]["env"]["log"]): typeof log {
  const note = (...line: unknown[]) => void logged.push(JSON.stringify(line));
  return new Proxy(log, {
    get: (target, name) => {
      if (name === "error" || name === "warn") return note;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const keysOf = async (bucket: string): Promise<string[]> => {
  const { text } = await s3.ask("GET", `/${bucket}`, { query: "list-type=2&encoding-type=url" });
  return [...text.matchAll(/<Key>([^<]*)/g)].map(([, key = ""]) => decodeURIComponent(key.replaceAll("+", "%20")));
};
const header = (path: string, more: Record<string, string> = {}, method = "GET") =>
  signHeader(s3.signer(s3.owner), { method, path, headers: { host: s3.host, ...more } });

describe("A09 the host", () => {
  test("that is not signed, comes twice, or stands in the request line is refused", async () => {
    const signer = s3.signer(s3.owner);
    const request = { method: "GET", path: "/mine/kept", headers: { host: s3.host } };
    const unsigned = signHeader(signer, request, ["x-amz-content-sha256", "x-amz-date"]);
    expect((await s3.send(unsigned)).code).toBe("AccessDenied");
    const good = written(header("/mine/kept"), "Connection: close\r\n");
    expect(await s3.talk(good)).toMatch(/^HTTP\/1.1 200/);
    expect(await s3.talk(good.replace("host:", "Host: other\r\nhost:"))).toMatch(/^HTTP\/1.1 400/);
    expect(await s3.talk(good.replace(" /mine", ` http://${s3.host}/mine`))).toMatch(/^HTTP\/1.1 400/);
    expect(await s3.talk(good.replace(/host: [^\r]*\r\n/, ""))).toMatch(/^HTTP\/1.1 400/);
  });
});

describe("A19 A56 paths", () => {
  const same = [
    "a%2Fb",
    "a%252Fb",
    "%2E%2E/x",
    "../x",
    "./x",
    "a//b",
    "a%20b",
    "a+b",
    "a;b",
    "a%3Bb",
    "A%2fb",
    "%C3%a4",
  ];
  const odd = ["~", "-._", "!'()*", "@:&=$,", "con", "nul.txt", "trailing%20", "a%5Cb", "%EF%BB%BF", "%E2%80%AE"];

  test.each([...same, ...odd])("what is signed as %s is stored as what it decodes to", async (path) => {
    const body = `at ${path}`;
    const target = `/mine/paths/${path}`;
    expect((await s3.ask("PUT", target, { body })).status).toBe(200);
    expect((await s3.ask("GET", target)).text).toBe(body);
    expect(await keysOf("mine")).toContain(`paths/${decodeURIComponent(path)}`);
    expect((await s3.ask("DELETE", target)).status).toBe(204);
  });

  test.each([
    ["/mine/%00", 400, "InvalidURI"],
    ["/mine/a%00b", 400, "InvalidURI"],
    [`/mine/${"k".repeat(1025)}`, 400, "KeyTooLongError"],
    [`/mine/${"%C3%A4".repeat(513)}`, 400, "KeyTooLongError"],
    ["//mine/kept", 400, "InvalidURI"],
    ["/..%2Fmine/kept", 404, "NoSuchBucket"],
    ["/%2E%2E/kept", 404, "NoSuchBucket"],
    ["/mine%2F..%2Fother/secret", 404, "NoSuchKey"],
  ])("%s is refused: %i", async (path, status, code) => {
    expect(await s3.ask("GET", path)).toMatchObject({ status, code });
    if (status === 400) expect(await s3.ask("PUT", path, { body: "x" })).toMatchObject({ status, code });
  });

  test.each(["/mine/%FF", "/mine/%C3", "/mine/%ED%A0%80", "/mine/%zz", "/mine/%", "/%FF"])(
    "%s is no UTF-8 and refused before anybody asks who signed",
    async (target) => {
      const answer = await s3.talk(written({ ...header("/mine/x"), target }, "Connection: close\r\n"));
      expect(answer).toMatch(/^HTTP\/1.1 400[\s\S]*<Code>InvalidURI/);
    },
  );

  test("A57 names that no bucket may have are refused", async () => {
    for (const name of [
      "Upper",
      "ab",
      "192.168.1.1",
      "a..b",
      "-ab",
      "ab-",
      "xn--a",
      "a_b",
      "b".repeat(64),
      "%2E%2E%2E",
    ])
      expect([name, (await s3.ask("PUT", `/${name}`)).code]).toEqual([name, "InvalidBucketName"]);
  });

  test("A55 wildcards and quotes in a list stand for themselves", async () => {
    for (const text of ["%", "_", "'; DROP TABLE entry; --", "\\", "*", "k_pt"]) {
      for (const name of ["prefix", "start-after", "delimiter", "marker"]) {
        const answer = await s3.ask("GET", "/mine", { query: `${name}=${percent(text)}` });
        expect([name, text, answer.status]).toEqual([name, text, 200]);
        if (name === "prefix") expect(answer.text).not.toContain("<Key>");
      }
    }
    expect(await keysOf("mine")).toContain("kept");
  });
});

describe("other people's things", () => {
  test("A21 a copy source must be readable, there, and another one", async () => {
    const mine = await s3.key({ drives: ["mine"] });
    const copy = (source: string, as = s3.owner) =>
      s3.ask("PUT", "/mine/copy", { headers: { "x-amz-copy-source": source }, as });
    expect((await copy("other/secret", mine)).code).toBe("AccessDenied");
    expect((await copy("other/never", mine)).code).toBe("AccessDenied");
    expect((await copy("nowhere/never", mine)).code).toBe("AccessDenied");
    expect((await copy("mine/../other/secret", mine)).code).toBe("NoSuchKey");
    expect((await copy("mine%2F..%2Fother%2Fsecret", mine)).code).toBe("NoSuchKey");
    expect((await copy("mine/never")).code).toBe("NoSuchKey");
    expect((await copy("nowhere/never")).code).toBe("NoSuchBucket");
    expect((await copy("mine/kept?versionId=v_0")).code).toBe("InvalidArgument");
    expect((await copy("mine/kept?versionId=v_00000000000000000000000000")).code).toBe("NoSuchVersion");
    const itself = { headers: { "x-amz-copy-source": "mine/kept" } };
    expect((await s3.ask("PUT", "/mine/kept", itself)).code).toBe("InvalidRequest");
    const begun = await s3.ask("POST", "/mine/part", { query: "uploads=", as: mine });
    const query = `partNumber=1&uploadId=${/<UploadId>([^<]+)/.exec(begun.text)?.[1]}`;
    const from = { "x-amz-copy-source": "other/secret" };
    expect((await s3.ask("PUT", "/mine/part", { query, headers: from, as: mine })).code).toBe("AccessDenied");
    expect(await keysOf("mine")).not.toContain("copy");
  });

  test("A22 A29 an upload belongs to its key and bucket", async () => {
    const { text } = await s3.ask("POST", "/other/parts", { query: "uploads=" });
    const query = `uploadId=${/<UploadId>([^<]+)/.exec(text)?.[1]}`;
    const document = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`;
    for (const path of ["/mine/parts", "/other/else"]) {
      const answers = [
        await s3.ask("PUT", path, { query: `partNumber=1&${query}`, body: "x" }),
        await s3.ask("GET", path, { query }),
        await s3.ask("DELETE", path, { query }),
        await s3.ask("POST", path, { query, body: document }),
      ];
      expect(answers.map(({ code }) => code)).toEqual(Array(4).fill("NoSuchUpload"));
    }
    expect((await s3.ask("GET", "/other/parts", { query })).status).toBe(200);
  });

  test("A23 versions that cannot be and those that are not there are refused", async () => {
    const read = (version: string) => s3.ask("GET", "/mine/kept", { query: `versionId=${version}` });
    for (const junk of ["junk", "..", "v_%00", "v_".padEnd(200, "0")]) expect((await read(junk)).status).toBe(400);
    expect((await read("v_00000000000000000000000000")).code).toBe("NoSuchVersion");
  });

  test("A24 a revoked key opens nothing after a second, on a gateway that knew it too", async () => {
    let [now, revoked] = [0, false];
    const known = { key: {}, secret: "s" };
    const signingKey = async () => {
      if (revoked) throw Object.assign(new Error(), { kind: "unauthenticated" });
      return known as never;
    };
    const keys = new S3Keys({ monotonic: () => now } as never, { signingKey });
    expect(await keys.find("K")).toBe(known);
    revoked = true;
    now = 999;
    expect(await keys.find("K")).toBe(known);
    now = 1001;
    await expect(keys.find("K")).rejects.toThrow();
    await expect(keys.find("K")).rejects.toThrow();
  });

  test("A27 A28 headers that proxies set make nobody anybody", async () => {
    const forged = { "x-user-id": "1", "x-forwarded-user": "admin", principal: "admin", "x-forwarded-for": "::1" };
    const headers = { host: s3.host, ...forged };
    expect((await s3.send({ method: "GET", target: "/mine/kept", headers })).code).toBe("AccessDenied");
    const reading = await s3.key({ scopes: ["read"], drives: ["mine"] });
    expect((await s3.ask("PUT", "/mine/kept", { body: "x", headers: forged, as: reading })).code).toBe("AccessDenied");
    expect((await s3.ask("GET", "/other/secret", { headers: forged, as: reading })).code).toBe("AccessDenied");
    expect((await s3.ask("GET", "/", { as: reading })).text).not.toContain("<Name>other</Name>");
  });
});

describe("what comes back", () => {
  test("A49 no header can be made of a value", async () => {
    await s3.ask("PUT", "/mine/injected", { body: "x", headers: { "x-amz-meta-a": 'quote" ; =' } });
    for (const text of ["a\r\nset-cookie: x=1", "a\nb", "a\0b", "ä→"]) {
      const query = `response-content-disposition=${percent(text)}`;
      expect((await s3.ask("GET", "/mine/injected", { query })).code).toBe("InvalidArgument");
    }
    expect((await s3.ask("GET", "/mine/injected")).headers["x-amz-meta-a"]).toBe('quote" ; =');
  });

  test("A50 names of prototypes are names", async () => {
    const headers = {
      "x-amz-meta-__proto__": "1",
      "x-amz-meta-constructor": "2",
      "x-amz-tagging": "__proto__=1&toString=2",
    };
    expect((await s3.ask("PUT", "/mine/__proto__", { body: "x", headers })).status).toBe(200);
    const read = await s3.ask("GET", "/mine/__proto__");
    expect([read.text, read.headers["x-amz-meta-constructor"]]).toEqual(["x", "2"]);
    expect((await s3.ask("GET", "/mine", { query: "__proto__=1&constructor=2&prefix=__proto__" })).text).toContain(
      "<Key>__proto__",
    );
    expect((await s3.ask("GET", "/constructor")).code).toBe("NoSuchBucket");
    expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
  });

  test("A84 a refusal tells nothing of the inside", async () => {
    const answers = await Promise.all([
      s3.ask("GET", "/mine/never"),
      s3.ask("PUT", "/mine", { query: "tagging=", body: "<broken" }),
      s3.send({ method: "GET", target: "/mine", headers: { host: s3.host } }),
    ]);
    for (const { text } of answers) expect(text).not.toMatch(/at \w+ \(|\.ts|node:|SELECT|sqlite/i);
  });
});

describe("connections", () => {
  const end = "Connection: close\r\n";

  test.each([
    ["two lengths that differ", "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ["a length and chunks", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["an unknown transfer encoding", "Transfer-Encoding: cow\r\n\r\n"],
    ["a space before a colon", "X : a\r\n\r\n"],
    ["a folded header", "X: a\r\n b\r\n\r\n"],
  ])("A58 %s is refused", async (_what, text) => {
    const signed = written(header("/mine/smuggled", {}, "PUT")).replace(/\r\n$/, "");
    expect(await s3.talk(`${signed}${text}`)).toMatch(/^HTTP\/1.1 400/);
    expect(await keysOf("mine")).not.toContain("smuggled");
  });

  test("A59 what was meant to be a refused body is no request", async () => {
    const inner = written(header("/mine/desync", { "content-length": "0" }, "PUT"));
    const refused = `PUT /mine/refused HTTP/1.1\r\nHost: ${s3.host}\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`;
    const answer = await s3.talk(refused + written(header("/mine/kept"), end));
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 403", "HTTP/1.1 200"]);
    expect(await keysOf("mine")).not.toContain("desync");
  });

  test("A59 a long refused body ends the connection", async () => {
    const head = `PUT /mine/refused HTTP/1.1\r\nHost: ${s3.host}\r\nContent-Length: 1000000000\r\n\r\n`;
    const answer = await s3.talk(Buffer.concat([Buffer.from(head), Buffer.alloc(100_000)]));
    expect(answer).toMatch(/^HTTP\/1.1 403[\s\S]*connection: close/i);
  });

  test("A60 who waits to be asked for a body is refused first", async () => {
    const head = `PUT /mine/refused HTTP/1.1\r\nHost: ${s3.host}\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`;
    expect(await s3.talk(head)).toMatch(/^HTTP\/1.1 403/);
  });

  test("A61 more than 5 GiB are refused before they come, and bodies of reads are ignored", async () => {
    for (const length of [`${5 * 2 ** 30 + 1}`, "999999999999999"]) {
      const request = { method: "PUT", path: "/mine/huge", headers: { host: s3.host, "content-length": length } };
      const answer = await s3.talk(
        written(signHeader(s3.signer(s3.owner), { ...request, payload: "UNSIGNED-PAYLOAD" })),
      );
      expect(answer).toMatch(/^HTTP\/1.1 400[\s\S]*EntityTooLarge/);
    }
    const read = written(header("/mine/kept", { "content-length": "5" }));
    const both = await s3.talk(`${read}hello${written(header("/mine/kept"), end)}`);
    expect(both.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
  });

  test("A62 too many headers, parameters and too long targets are refused", async () => {
    const start = `GET /mine HTTP/1.1\r\nHost: ${s3.host}\r\n`;
    expect(await s3.talk(`${start}X: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
    expect(await s3.talk(`${start}${"X-Many: yyyy\r\n".repeat(5000)}\r\n`)).toMatch(/^HTTP\/1.1 431/);
    expect(await s3.talk(`GET /mine/${"x".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)).toMatch(/^HTTP\/1.1 4/);
    const many = Array.from({ length: 201 }, (_, index) => `p${index}=1`).join("&");
    expect(await s3.ask("GET", "/mine", { query: many })).toMatchObject({ status: 400, code: "InvalidRequest" });
  });

  test("A03 an unknown key is refused whatever else is right", async () => {
    const nobody = { ...s3.signer(s3.owner), accessKeyId: "CAIRNNOBODY000000000" };
    const request = { method: "GET", path: "/mine/kept", headers: { host: s3.host } };
    const answers: S3Answer[] = [await s3.send(signHeader(nobody, request)), await s3.send(presign(nobody, request))];
    expect(answers.map(({ status, code }) => [status, code])).toEqual(Array(2).fill([403, "InvalidAccessKeyId"]));
  });

  test("A83 no secret and no error is in the log after all this", () => {
    expect(logged.filter((line) => line.includes(s3.owner.secretAccessKey))).toEqual([]);
    expect(logged).toEqual([]);
  });
});
