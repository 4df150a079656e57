import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Signer, scopeOf, signPolicy } from "../auth/testing/sign.ts";
import { type S3Answer, TestS3 } from "../testing/test-s3.ts";

let s3: TestS3;
let signer: Signer;

beforeAll(async () => {
  s3 = await TestS3.start();
  for (const bucket of ["forms", "other"]) expect((await s3.ask("PUT", `/${bucket}`)).status).toBe(200);
  signer = s3.signer(s3.owner);
});
afterAll(() => s3[Symbol.asyncDispose]());

const boundary = "----form7d1";
type Field = readonly [name: string, value: string | Uint8Array, filename?: string];

/** The bytes of a form. */
function formOf(fields: readonly Field[], end = `--${boundary}--\r\n`): Buffer {
  const parts = fields.flatMap(([name, value, filename]) => {
    const file = filename === undefined ? "" : `; filename="${filename}"\r\nContent-Type: application/octet-stream`;
    return [`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`, value, "\r\n"];
  });
  return Buffer.concat([...parts, end].map((it) => (typeof it === "string" ? Buffer.from(it) : it)));
}

interface Sent {
  readonly fields?: Readonly<Record<string, string>>;
  /** Besides those of the signature. */
  readonly conditions?: readonly unknown[];
  readonly expiresInMs?: number;
  readonly by?: Signer;
  /** In place of the signed fields, once they are signed. */
  readonly change?: (fields: Record<string, string>) => Record<string, string>;
}

/** Fields with a policy that covers them all, signed. */
function signed({ fields = {}, conditions, expiresInMs = 60_000, by = signer, change = (it) => it }: Sent): Field[] {
  const named: Record<string, string> = {
    ...{ key: "uploads/a.txt", ...fields },
    ...{ "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-date": by.timestamp },
    "x-amz-credential": `${by.accessKeyId}/${scopeOf(by)}`,
  };
  const rules = conditions ?? Object.entries(named).map(([name, value]) => ({ [name]: value }));
  const own = ["x-amz-algorithm", "x-amz-date", "x-amz-credential"].map((name) => ({ [name]: named[name] }));
  const expiration = new Date(Date.now() + expiresInMs).toISOString();
  const document = { expiration, conditions: [{ bucket: "forms" }, ...rules, ...(conditions ? own : [])] };
  const policy = Buffer.from(JSON.stringify(document)).toString("base64");
  return Object.entries(change({ ...named, policy, "x-amz-signature": signPolicy(by, policy) }));
}

function send(
  fields: readonly Field[],
  { bucket = "forms", end = undefined as string | undefined } = {},
): Promise<S3Answer> {
  const headers = { host: s3.host, "content-type": `multipart/form-data; boundary=${boundary}` };
  return s3.send({ method: "POST", target: `/${bucket}`, headers }, formOf(fields, end));
}
const post = (sent: Sent, file: string | Uint8Array = "content") => send([...signed(sent), ["file", file, "a.txt"]]);
const read = (key: string) => s3.ask("GET", `/forms/${key}`);

describe("a form", () => {
  test("that somebody has signed makes an object, with what it says of it", async () => {
    const fields = {
      ...{ key: "uploads/described", "Content-Type": "text/x", "Cache-Control": "no-store", acl: "public-read" },
      ...{
        "x-amz-meta-name": "ä",
        tagging: "<Tagging><TagSet><Tag><Key>a</Key><Value>1 &amp; 2+3</Value></Tag></TagSet></Tagging>",
      },
    };
    const tagging = fields.tagging.replace("&amp; ", "");
    const answer = await post({ fields: { ...fields, tagging } });
    expect(answer).toMatchObject({ status: 204, text: "" });
    expect(answer.headers).toMatchObject({ etag: `"${createHash("md5").update("content").digest("hex")}"` });
    const object = await read("uploads/described");
    expect(object.text).toBe("content");
    expect(object.headers).toMatchObject({ "content-type": "text/x", "cache-control": "no-store" });
    expect(Buffer.from(String(object.headers["x-amz-meta-name"]), "latin1").toString()).toBe("ä");
    expect((await s3.ask("GET", "/forms/uploads/described", { query: "tagging=" })).text).toContain(
      "<Value>1 2+3</Value>",
    );
    const anonymous = { method: "GET", target: "/forms/uploads/described", headers: { host: s3.host } };
    expect((await s3.send(anonymous)).text).toBe("content");
  });

  test.each([0, 1, 65_536, 3_000_000])("of a file of %i bytes passes through as it is", async (length) => {
    const bytes = randomBytes(length);
    expect((await post({ fields: { key: "bytes" } }, bytes)).status).toBe(204);
    expect((await read("bytes")).bytes.equals(bytes)).toBe(true);
  });

  test("is answered as it asks", async () => {
    for (const [success_action_status, status] of [
      ["200", 200],
      ["201", 201],
      ["204", 204],
      ["500", 204],
    ] as const)
      expect((await post({ fields: { success_action_status } })).status).toBe(status);
    const { text } = await post({ fields: { success_action_status: "201", key: "a b&c" } });
    expect(text).toContain("<Bucket>forms</Bucket><Key>a b&amp;c</Key><ETag>&quot;");
    expect(text).toContain("/forms/a%20b%26c</Location>");
    const to = await post({ fields: { success_action_redirect: "https://app.example/done?x=1", key: "ä&" } });
    expect([to.status, to.headers.location]).toEqual([
      303,
      `https://app.example/done?x=1&bucket=forms&key=%C3%A4%26&etag=%22${createHash("md5").update("content").digest("hex")}%22`,
    ]);
    const nowhere = await post({ fields: { success_action_redirect: "javascript:alert(1)" } });
    expect([nowhere.status, nowhere.headers.location?.startsWith("http://")]).toEqual([204, true]);
  });

  test("may leave the name to the file, whose path counts nothing", async () => {
    const conditions = [["starts-with", "$key", "home/"]];
    const named = signed({ fields: { key: `home/${"$"}{filename}` }, conditions });
    for (const [filename, key] of [
      ["photo.jpg", "home/photo.jpg"],
      ["../../other/secret", "home/secret"],
      ["C:\\\\x\\\\y.txt", "home/y.txt"],
      ["$&", "home/%24&"],
    ] as const) {
      expect((await send([...named, ["file", filename, filename]])).status).toBe(204);
      expect((await read(key)).text).toBe(filename);
    }
  });

  test("that nobody has signed is let in only where a policy lets everybody write", async () => {
    const form: Field[] = [
      ["key", "drop/1"],
      ["file", "content", "a"],
    ];
    expect((await send(form)).code).toBe("AccessDenied");
    const Resource = "arn:aws:s3:::forms/drop/*";
    const Statement = [{ Effect: "Allow", Principal: "*", Action: "s3:PutObject", Resource }];
    await s3.ask("PUT", "/forms", { query: "policy=", body: JSON.stringify({ Statement }) });
    expect((await send(form)).status).toBe(204);
    expect(
      (
        await send([
          ["key", "else"],
          ["file", "x", "a"],
        ])
      ).code,
    ).toBe("AccessDenied");
    expect((await send([["acl", "public-read"], ...form])).code).toBe("AccessDenied");
    await s3.ask("DELETE", "/forms", { query: "policy=" });
  });
});

describe("A20 a form that is refused", () => {
  const refused = async (answer: Promise<S3Answer>): Promise<string | undefined> => {
    const { code, status } = await answer;
    expect(status).toBeGreaterThanOrEqual(400);
    return code;
  };

  test.each<[string, Sent, string]>([
    ["has an expired policy", { expiresInMs: -1 }, "AccessDenied"],
    [
      "is signed with another secret",
      { change: (it) => ({ ...it, "x-amz-signature": "a".repeat(64) }) },
      "SignatureDoesNotMatch",
    ],
    [
      "has another policy than the signed one",
      { change: (it) => ({ ...it, policy: Buffer.from("{}").toString("base64") }) },
      "SignatureDoesNotMatch",
    ],
    [
      "has a field that no condition speaks of",
      { change: (it) => ({ ...it, "x-amz-meta-more": "1" }) },
      "AccessDenied",
    ],
    ["has another key than the policy allows", { change: (it) => ({ ...it, key: "else" }) }, "AccessDenied"],
    ["has a key that begins otherwise", { conditions: [["starts-with", "$key", "home/"]] }, "AccessDenied"],
    [
      "lacks a field that a condition wants",
      {
        conditions: [
          ["eq", "$key", "uploads/a.txt"],
          ["eq", "$acl", "private"],
        ],
      },
      "AccessDenied",
    ],
    ["is of another bucket", { conditions: [{ bucket: "other" }, ["starts-with", "$key", ""]] }, "AccessDenied"],
    [
      "has too large a file",
      {
        conditions: [
          ["starts-with", "$key", ""],
          ["content-length-range", 0, 6],
        ],
      },
      "EntityTooLarge",
    ],
    [
      "has too small a file",
      {
        conditions: [
          ["starts-with", "$key", ""],
          ["content-length-range", 8, 9],
        ],
      },
      "EntityTooSmall",
    ],
    ["has a policy that is none", { conditions: [["matches", "$key", ""]] }, "InvalidPolicyDocument"],
    ["has no key", { change: ({ key: _, ...rest }) => rest }, "InvalidArgument"],
    ["has no policy", { change: ({ policy: _, ...rest }) => rest }, "InvalidArgument"],
    ["has no signature", { change: ({ "x-amz-signature": _, ...rest }) => rest }, "InvalidArgument"],
    [
      "is signed with version 2",
      { change: () => ({ key: "k", AWSAccessKeyId: "a", signature: "b", policy: "c" }) },
      "InvalidRequest",
    ],
    ["asks for an unknown list", { fields: { acl: "public-read-write" } }, "NotImplemented"],
    ["asks for encryption", { fields: { "x-amz-server-side-encryption": "AES256" } }, "NotImplemented"],
    ["has tags that are none", { fields: { tagging: "<Tagging/>" } }, "MalformedXML"],
    ["has another MD5", { fields: { "content-md5": "AAAAAAAAAAAAAAAAAAAAAA==" } }, "BadDigest"],
    ["has too long a key", { fields: { key: "k".repeat(1025) } }, "KeyTooLongError"],
  ])("because it %s leaves nothing", async (_why, sent, code) => {
    await s3.ask("DELETE", "/forms/uploads/a.txt");
    expect(await refused(post(sent))).toBe(code);
    expect((await read("uploads/a.txt")).code).toBe("NoSuchKey");
  });

  test("because of its key of access leaves nothing", async () => {
    const keys = { reading: await s3.key({ scopes: ["read"] }), elsewhere: await s3.key({ drives: ["other"] }) };
    for (const key of Object.values(keys)) expect(await refused(post({ by: s3.signer(key) }))).toBe("AccessDenied");
    const unknown = { ...signer, accessKeyId: "CAIRNNOBODY000000000" };
    expect(await refused(post({ by: unknown }))).toBe("InvalidAccessKeyId");
    expect(await refused(post({ by: { ...signer, region: "mars-north-1" } }))).toBe("InvalidArgument");
    expect(await refused(post({ by: { ...signer, scope: { service: "sts" } } }))).toBe("InvalidArgument");
  });

  test("because of its parts leaves nothing", async () => {
    await s3.ask("DELETE", "/forms/uploads/a.txt");
    const fields = signed({});
    const file: Field = ["file", "content", "a.txt"];
    expect(await refused(send([file, ...fields]))).toBe("InvalidArgument");
    expect(await refused(send([...fields, file, file]))).toBe("IncorrectNumberOfFilesInPostRequest");
    const large: Field = ["file", randomBytes(700_000), "a.txt"];
    const between: Field = ["submit", "x".repeat(60_000)];
    expect(await refused(send([...fields, large, between, file]))).toBe("IncorrectNumberOfFilesInPostRequest");
    expect(await refused(send(fields))).toBe("IncorrectNumberOfFilesInPostRequest");
    expect(await refused(send([["key", "else"], ...fields, file]))).toBe("InvalidArgument");
    expect(await refused(send([...fields, file], { end: "" }))).toBe("MalformedPOSTRequest");
    expect(await refused(send([...fields, ["x-ignore-a", "x".repeat(20_481)], file]))).toBe(
      "MaxPostPreDataLengthExceededError",
    );
    const many = Array.from({ length: 201 }, (_, index): Field => [`x-ignore-${index}`, ""]);
    expect(await refused(send([...fields, ...many, file]))).toBe("MaxPostPreDataLengthExceededError");
    const long = Array.from({ length: 21 }, (_, index): Field => [`x-ignore-${index}`, "x".repeat(1000)]);
    expect(await refused(send([...fields, ...long, file]))).toBe("MaxPostPreDataLengthExceededError");
    expect((await read("uploads/a.txt")).code).toBe("NoSuchKey");
    expect((await send([...fields, file, ["submit", "Upload"]])).status).toBe(204);
  });

  test("because it is none leaves nothing, and the connection is free again", async () => {
    const raw = (type: string, body: Uint8Array) =>
      s3.send({ method: "POST", target: "/forms", headers: { host: s3.host, "content-type": type } }, body);
    expect(await refused(raw("text/plain", Buffer.from("x")))).toBe("AccessDenied");
    expect(await refused(raw("multipart/form-data; charset=x", Buffer.from("x")))).toBe("MalformedPOSTRequest");
    expect(await refused(raw(`multipart/form-data; boundary=${boundary}`, Buffer.from("no form")))).toBe(
      "MalformedPOSTRequest",
    );
    expect(await refused(raw(`multipart/form-data; boundary=${boundary}`, randomBytes(1_000_000)))).toMatch(/^M/);
    expect((await post({})).status).toBe(204);
  });

  test("in its middle, because the client goes, leaves nothing", async () => {
    await s3.ask("DELETE", "/forms/uploads/a.txt");
    const whole = formOf([...signed({}), ["file", randomBytes(500_000), "a.txt"]]);
    const head = `POST /forms HTTP/1.1\r\nHost: ${s3.host}\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${whole.length}\r\n\r\n`;
    await s3.talk(Buffer.concat([Buffer.from(head), whole.subarray(0, -1000)]), 100);
    expect((await read("uploads/a.txt")).code).toBe("NoSuchKey");
    expect((await post({})).status).toBe(204);
  });
});
