import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { presign, type Signer, signHeader } from "./auth/testing/sign.ts";
import { S3Error, type S3ErrorCode } from "./s3-error.ts";
import { s3Routes } from "./s3-routes.ts";
import { type AuthForm, authForms, bodyFaults, formOf, type Ready, type Wanted } from "./testing/auth-forms.ts";
import { type Holder, type S3Answer, TestS3 } from "./testing/test-s3.ts";

/**
 * Every route × every way to sign × everything that may be wrong with it. The routes are those of the door: a new one is
 * in here by itself.
 */
const routes = (["account", "bucket", "object"] as const).flatMap((level) =>
  Object.entries(s3Routes[level]).map(([key, route]) => ({ level, key, name: route.name, right: route.right })),
);
type Route = (typeof routes)[number];

const bucket = "matrix";
const part = Buffer.from("the only part");
/** Routes that change something and take no body. */
const bodyless = new Set([
  "CreateMultipartUpload",
  "CopyObject",
  "UploadPartCopy",
  "PutBucketEncryption",
  "PostObject",
  "PutBucketAcl",
  "PutObjectAcl",
]);
/** Bodies that are taken; routes that are not named are sent something else, which they refuse once they have read it. */
const bodies: Readonly<Record<string, (upload: string) => string>> = {
  PutObject: () => "another content",
  UploadPart: () => part.toString(),
  CompleteMultipartUpload: () =>
    `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${md5(part, "hex")}</ETag></Part></CompleteMultipartUpload>`,
  DeleteObjects: () => "<Delete><Object><Key>kept</Key></Object></Delete>",
  PutObjectTagging: () => "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
  PutBucketTagging: () => "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
  PutBucketCors: () =>
    "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
};

let s3: TestS3;
let upload = "";

beforeAll(async () => {
  s3 = await TestS3.start();
  for (const name of [bucket, "elsewhere"]) expect((await s3.ask("PUT", `/${name}`)).status).toBe(200);
});
afterAll(() => s3[Symbol.asyncDispose]());

function md5(bytes: Uint8Array | string, encoding: "hex" | "base64"): string {
  return createHash("md5").update(bytes).digest(encoding);
}

function send({ signed, body }: Ready): Promise<S3Answer> {
  return s3.send(signed, body);
}

const header = formOf("header, signed body");

function wantedOf(it: { method: string; path: string; query: string; body: string; headers?: object }): Wanted {
  const body = Buffer.from(it.body);
  const sum = it.body === "" ? {} : { "content-md5": md5(body, "base64") };
  return { ...it, headers: { host: s3.host, ...sum, ...it.headers }, body };
}

/** What a client sends who wants this route. */
function wanted({ level, key, name }: Route): Wanted {
  const [method = "", ...words] = key.split(" ");
  const values: Readonly<Record<string, string>> = { "list-type": "2", uploadId: `${upload}&partNumber=1` };
  const query = words.filter((word) => word !== "copy").map((word) => `${word}=${values[word] ?? ""}`);
  const changes = method === "PUT" || method === "POST";
  const body = !changes || bodyless.has(name) ? "" : (bodies[name]?.(upload) ?? "<Other/>");
  const path = { account: "/", bucket: `/${bucket}`, object: `/${bucket}/kept` }[level];
  const copy = words.includes("copy") ? { "x-amz-copy-source": `${bucket}/source` } : {};
  const attributes = key === "GET attributes" ? { "x-amz-object-attributes": "ETag" } : {};
  return wantedOf({ method, path, query: query.join("&"), body, headers: { ...copy, ...attributes } });
}

/** Puts everything where the routes need it. */
async function prepare(): Promise<void> {
  await s3.ask("PUT", `/${bucket}`);
  for (const key of ["kept", "source"])
    expect((await s3.ask("PUT", `/${bucket}/${key}`, { body: "kept" })).status).toBe(200);
  if (upload !== "") await s3.ask("DELETE", `/${bucket}/kept`, { query: `uploadId=${upload}` });
  const begun = await s3.ask("POST", `/${bucket}/kept`, { query: "uploads=" });
  upload = /<UploadId>([^<]+)/.exec(begun.text)?.[1] ?? "";
  expect(
    (await s3.ask("PUT", `/${bucket}/kept`, { query: `partNumber=1&uploadId=${upload}`, body: part })).status,
  ).toBe(200);
}

/** All that can be read. */
async function everything(): Promise<string[]> {
  const readable = routes.filter(({ key }) => key.startsWith("GET"));
  const answers = readable.map(async (route) => {
    const { status, text } = await send(header.make(s3.signer(s3.owner), wanted(route)));
    return `${route.name} ${status} ${text.replace(/<RequestId>.*<\/RequestId>/, "")}`;
  });
  return await Promise.all(answers);
}

interface Fault {
  readonly name: string;
  readonly code: S3ErrorCode;
  readonly make: () => Ready;
}

/** Everything that may be wrong with who sends it. */
function authFaults(route: Route, form: AuthForm, others: Others): Fault[] {
  const it = wanted(route);
  const own = s3.signer(s3.owner);
  const malformed = form.from === "header" ? "AuthorizationHeaderMalformed" : "AuthorizationQueryParametersError";
  const signer = (name: string, code: S3ErrorCode, change: Partial<Signer>): Fault => ({
    ...{ name, code },
    make: () => form.make({ ...own, ...change }, it),
  });
  const changed = (name: string, code: S3ErrorCode, change: (ready: Ready) => Ready): Fault => ({
    ...{ name, code },
    make: () => change(form.make(own, it)),
  });
  return [
    signer("another secret", "SignatureDoesNotMatch", { secretAccessKey: "another" }),
    signer("an unknown key", "InvalidAccessKeyId", { accessKeyId: "CAIRNNOBODY000000000" }),
    signer("a revoked key", "InvalidAccessKeyId", others.revoked),
    signer("another region", malformed, { region: "mars-north-1" }),
    signer("another service", malformed, { scope: { service: "sts" } }),
    signer("another day", malformed, { scope: { date: "20130524" } }),
    signer("another terminator", malformed, { scope: { terminator: "aws4" } }),
    signer(
      "a time long ago",
      form.from === "header" ? "RequestTimeTooSkewed" : "AccessDenied",
      s3.signer(s3.owner, form.from === "header" ? -16 : -61),
    ),
    signer(
      "a time to come",
      form.from === "header" ? "RequestTimeTooSkewed" : "AccessDenied",
      s3.signer(s3.owner, form.from === "header" ? 16 : 17),
    ),
    // The account is seen through any key: what it may not see is not listed.
    ...(route.level === "account" ? [] : [signer("a key of another bucket", "AccessDenied", others.elsewhere)]),
    ...(route.right === "write" ? [signer("a key that only reads", "AccessDenied", others.reading)] : []),
    changed("an invented signature", "SignatureDoesNotMatch", (ready) => withSignature(ready, "a".repeat(64))),
    changed("a header that is not signed", "AccessDenied", ({ signed, body }) => ({
      signed: { ...signed, headers: { ...signed.headers, "x-amz-meta-added": "1" } },
      body,
    })),
    changed("a parameter twice", "SignatureDoesNotMatch", ({ signed, body }) => ({
      signed: { ...signed, target: `${signed.target}${signed.target.includes("?") ? "&" : "?"}prefix=a&prefix=b` },
      body,
    })),
    changed("credentials in both places", "InvalidArgument", ({ signed, body }) => ({
      signed: form.from === "header" ? inQueryToo(signed) : inHeaderToo(signed, own),
      body,
    })),
  ];
}

function withSignature({ signed, body }: Ready, signature: string): Ready {
  const { authorization } = signed.headers;
  const target = signed.target.replace(/(?<=X-Amz-Signature=)[0-9a-f]{64}/, signature);
  const headers = {
    ...signed.headers,
    ...(authorization ? { authorization: authorization.replace(/[0-9a-f]{64}$/, signature) } : {}),
  };
  return { signed: { ...signed, target, headers }, body };
}

function inQueryToo(signed: Ready["signed"]): Ready["signed"] {
  return { ...signed, target: `${signed.target}${signed.target.includes("?") ? "&" : "?"}X-Amz-Signature=a` };
}

function inHeaderToo(signed: Ready["signed"], signer: Signer): Ready["signed"] {
  const { authorization = "" } = signHeader(signer, { method: "GET", path: "/", headers: signed.headers }).headers;
  return { ...signed, headers: { ...signed.headers, authorization } };
}

interface Others {
  readonly revoked: Holder;
  readonly elsewhere: Holder;
  readonly reading: Holder;
}

async function otherKeys(): Promise<Others> {
  const revoked = await s3.key();
  await s3.gateway.metadata.revokeAccessKey(revoked.key.id);
  return { revoked, elsewhere: await s3.key({ drives: ["elsewhere"] }), reading: await s3.key({ scopes: ["read"] }) };
}

/** What is answered, as `expected` would look: HEAD has no document to tell the code. */
function told({ method }: Wanted, answer: S3Answer | undefined): string {
  return method === "HEAD" ? String(answer?.status) : `${answer?.status} ${answer?.code}`;
}

function expected({ method }: Wanted, code: S3ErrorCode): string {
  const { status } = new S3Error(code);
  return method === "HEAD" ? String(status) : `${status} ${code}`;
}

/** Codes of requests that were not let in. */
const refusals = [
  ...["AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "AuthorizationHeaderMalformed"],
  ...["AuthorizationQueryParametersError", "RequestTimeTooSkewed", "XAmzContentSHA256Mismatch", "IncompleteBody"],
  ...["BadDigest", "InvalidChunkSizeError", "MalformedTrailerError", "MissingContentLength", "InternalError"],
];

describe.each(routes)("$name (A01 A02 A03 A04 A06 A07 A08 A10 A12 A14 A16 A17 A25 A26 A87)", (route) => {
  test("lets nobody in but who signed for it, and changes nothing", async () => {
    await prepare();
    const others = await otherKeys();
    const before = await everything();
    const it = wanted(route);
    const target = `${it.path}${it.query ? `?${it.query}` : ""}`;
    const anonymous = { ...it, target, headers: { ...it.headers } };
    expect(told(it, await s3.send(anonymous, it.body))).toBe(expected(it, "AccessDenied"));
    for (const form of authForms) {
      const faults = authFaults(route, form, others);
      const answers = await Promise.all(faults.map(({ make }) => send(make())));
      expect(faults.map(({ name }, index) => [form.name, name, told(it, answers[index])])).toEqual(
        faults.map(({ name, code }) => [form.name, name, expected(it, code)]),
      );
    }
    expect(await everything()).toEqual(before);
  });

  test("refuses bodies that are not what was signed, and changes nothing", async () => {
    await prepare();
    const before = await everything();
    const it = wanted(route);
    // The checksum that comes with a completion is that of the object, and not of its body.
    const isOfObject = (name: string) =>
      route.name === "CompleteMultipartUpload" && /checksum|another trailer/.test(name);
    const faults = it.body.length === 0 ? [] : bodyFaults.filter(({ name }) => !isOfObject(name));
    const answers = await Promise.all(faults.map(({ make }) => send(make(s3.signer(s3.owner), it))));
    const told = faults.map(({ form, name, codes }, index) => ({
      form,
      name,
      codes,
      code: answers[index]?.code ?? "",
    }));
    expect(told.filter(({ codes, code }) => !codes.includes(code))).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  test("lets in who signed, in each form", async () => {
    for (const { name, make } of authForms) {
      await prepare();
      const answer = await send(make(s3.signer(s3.owner), wanted(route)));
      expect([name, refusals.includes(answer.code ?? "") ? answer.code : undefined]).toEqual([name, undefined]);
      expect([401, 403, 500]).not.toContain(answer.status);
      if (bodies[route.name] || route.key === "GET") expect([name, answer.code]).toEqual([name, undefined]);
    }
  });
});

test("A18 a presigned request is good for its method, key and parameters only", async () => {
  await prepare();
  const before = await everything();
  const signed = presign(s3.signer(s3.owner), { method: "GET", path: `/${bucket}/kept`, headers: { host: s3.host } });
  expect((await s3.send(signed)).text).toBe("kept");
  for (const method of ["PUT", "DELETE", "POST"])
    expect([method, (await s3.send({ ...signed, method })).code]).toEqual([method, "SignatureDoesNotMatch"]);
  expect((await s3.send({ ...signed, method: "HEAD" })).status).toBe(403);
  const added = ["versionId=v_0", "uploadId=up_0", "response-content-type=text/html", "acl", "tagging="];
  for (const more of added)
    expect((await s3.send({ ...signed, target: `${signed.target}&${more}` })).code).toBe("SignatureDoesNotMatch");
  const other = { ...signed, target: signed.target.replace("/kept", "/source") };
  expect((await s3.send(other)).code).toBe("SignatureDoesNotMatch");
  expect(await everything()).toEqual(before);
});
