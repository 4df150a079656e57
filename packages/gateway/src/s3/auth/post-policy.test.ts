import { describe, expect, test } from "vitest";
import { S3Error } from "../s3-error.ts";
import { checkPostSignature, readPostCredentials } from "./post-credentials.ts";
import { checkPostPolicy, checkPostSize, postSizeRange, readPostPolicy } from "./post-policy.ts";
import { SigningKeys } from "./signature.ts";
import { exampleSigner } from "./testing/example-requests.ts";
import { type Signer, scopeOf, signPolicy } from "./testing/sign.ts";

const signer: Signer = { ...exampleSigner, timestamp: "20151229T000000Z" };
const now = Date.UTC(2015, 11, 29);
const bucket = "sigv4examplebucket";
const redirect = "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html";
const credential = `${signer.accessKeyId}/${scopeOf(signer)}`;

/** The policy of the S3 API reference's example, character for character. */
const examplePolicy = [
  '{ "expiration": "2015-12-30T12:00:00.000Z",',
  '  "conditions": [',
  '    {"bucket": "sigv4examplebucket"},',
  '    ["starts-with", "$key", "user/user1/"],',
  '    {"acl": "public-read"},',
  `    {"success_action_redirect": "${redirect}"},`,
  '    ["starts-with", "$Content-Type", "image/"],',
  '    {"x-amz-meta-uuid": "14365123651274"},',
  '    {"x-amz-server-side-encryption": "AES256"},',
  '    ["starts-with", "$x-amz-meta-tag", ""],',
  "",
  `    {"x-amz-credential": "${credential}"},`,
  '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},',
  '    {"x-amz-date": "20151229T000000Z" }',
  "  ]",
  "}",
].join("\r\n");

const exampleFields: Readonly<Record<string, string>> = {
  ...{ key: "user/user1/a.jpg", acl: "public-read", success_action_redirect: redirect, "content-type": "image/jpeg" },
  ...{ "x-amz-meta-uuid": "14365123651274", "x-amz-server-side-encryption": "AES256", "x-amz-meta-tag": "any" },
  ...{ "x-amz-credential": credential, "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-date": signer.timestamp },
};

function encode(policy: unknown): string {
  return Buffer.from(typeof policy === "string" ? policy : JSON.stringify(policy)).toString("base64");
}

/** A form with its policy, signed; `change` is made after signing. Undefined takes a field away. */
function form(
  change: Readonly<Record<string, string | undefined>> = {},
  policy: unknown = examplePolicy,
): Map<string, string> {
  const base64 = encode(policy);
  const fields = { ...exampleFields, policy: base64, "x-amz-signature": signPolicy(signer, base64), ...change };
  return new Map(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function admit(fields: ReadonlyMap<string, string>, { at = now, name = bucket } = {}): string {
  try {
    const credentials = readPostCredentials(fields);
    if (!credentials) return "anonymous";
    checkPostSignature(credentials, new SigningKeys().of(signer.secretAccessKey, credentials.scope));
    checkPostPolicy(readPostPolicy(credentials.policy), { bucket: name, fields }, at);
    return "taken";
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

test("the form of the S3 API reference is taken, with its signature", () => {
  const fields = form();
  expect(fields.get("x-amz-signature")).toBe("8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
  expect(admit(fields)).toBe("taken");
});

describe("a form is refused (A20)", () => {
  test.each<[string, Map<string, string>, string]>([
    [
      "another key id's scope",
      form({ "x-amz-credential": credential.replace("us-east-1", "eu-west-1") }),
      "SignatureDoesNotMatch",
    ],
    [
      "another policy",
      form({ policy: encode({ expiration: "2030-01-01T00:00:00Z", conditions: [] }) }),
      "SignatureDoesNotMatch",
    ],
    ["an invented signature", form({ "x-amz-signature": "a".repeat(64) }), "SignatureDoesNotMatch"],
    ["a signature that is none", form({ "x-amz-signature": "é".repeat(64) }), "InvalidArgument"],
    ["no signature", form({ "x-amz-signature": undefined }), "InvalidArgument"],
    ["no policy", form({ policy: undefined }), "InvalidArgument"],
    ["another algorithm", form({ "x-amz-algorithm": "AWS4-HMAC-SHA512" }), "InvalidArgument"],
    ["another service", form({ "x-amz-credential": credential.replace("/s3/", "/ec2/") }), "InvalidArgument"],
    ["another day", form({ "x-amz-date": "20151228T000000Z" }), "InvalidArgument"],
    [
      "version 2",
      new Map([
        ["awsaccesskeyid", "a"],
        ["signature", "b"],
        ["policy", "c"],
      ]),
      "InvalidRequest",
    ],
    ["a key outside the prefix", form({ key: "user/user2/a.jpg" }), "AccessDenied"],
    ["no key", form({ key: undefined }), "AccessDenied"],
    ["another acl", form({ acl: "public-read-write" }), "AccessDenied"],
    ["no acl", form({ acl: undefined }), "AccessDenied"],
    ["another type", form({ "content-type": "text/html" }), "AccessDenied"],
    ["another type in a list", form({ "content-type": "image/png, text/html" }), "AccessDenied"],
    ["a field that the policy does not speak of", form({ "x-amz-meta-more": "1" }), "AccessDenied"],
    ["tags that the policy does not speak of", form({ tagging: "<Tagging/>" }), "AccessDenied"],
  ])("with %s", (_name, fields, code) => {
    expect(admit(fields)).toBe(code);
  });

  test("when its policy has expired", () => {
    const end = Date.UTC(2015, 11, 30, 12);
    expect(admit(form(), { at: end - 1 })).toBe("taken");
    expect(admit(form(), { at: end })).toBe("AccessDenied");
  });

  test("in another bucket, also when a field says otherwise", () => {
    expect(admit(form(), { name: "other" })).toBe("AccessDenied");
    expect(admit(form({ bucket }), { name: "other" })).toBe("AccessDenied");
  });
});

test("fields that begin with x-ignore- need no condition", () => {
  expect(admit(form({ "x-ignore-submit": "Send" }))).toBe("taken");
});

test("a form without credentials is anybody's", () => {
  expect(admit(new Map([["key", "a"]]))).toBe("anonymous");
});

describe("a policy document", () => {
  const expiration = "2030-01-01T00:00:00.000Z";
  const read = (policy: unknown): unknown => {
    try {
      return readPostPolicy(encode(policy));
    } catch (error) {
      if (error instanceof S3Error) return error.code;
      throw error;
    }
  };

  test("is read", () => {
    expect(
      read({
        expiration,
        conditions: [
          ["EQ", "$Key", "a"],
          ["content-length-range", 1, "5"],
        ],
      }),
    ).toEqual({
      expirationMs: Date.UTC(2030, 0, 1),
      conditions: [
        { kind: "eq", field: "key", value: "a" },
        { kind: "content-length-range", min: 1, max: 5 },
      ],
    });
  });

  test.each<[string, unknown]>([
    ["no JSON", "{"],
    ["a list", []],
    ["null", "null"],
    ["no expiration", { conditions: [] }],
    ["an expiration without a zone", { expiration: "2030-01-01T00:00:00", conditions: [] }],
    ["an expiration that is no date", { expiration: "2030-99-01T00:00:00Z", conditions: [] }],
    ["no conditions", { expiration }],
    ["more elements", { expiration, conditions: [], more: 1 }],
    ["a prototype", `{"expiration":"${expiration}","conditions":[],"__proto__":{}}`],
    ["an unknown kind", { expiration, conditions: [["ends-with", "$key", "a"]] }],
    ["a field without $", { expiration, conditions: [["eq", "key", "a"]] }],
    ["two parts", { expiration, conditions: [["eq", "$key"]] }],
    ["a value that is no text", { expiration, conditions: [{ key: 1 }] }],
    ["an empty condition", { expiration, conditions: [{}] }],
    ["a range below zero", { expiration, conditions: [["content-length-range", -1, 5]] }],
    ["a range the wrong way round", { expiration, conditions: [["content-length-range", 5, 1]] }],
    ["too many conditions", { expiration, conditions: Array.from({ length: 101 }, () => ["eq", "$key", "a"]) }],
  ])("is refused: %s", (_name, policy) => {
    expect(read(policy)).toBe("InvalidPolicyDocument");
  });

  test.each(["", "*", "é", "a".repeat(70_000), Buffer.from([0x22, 0xff, 0x22]).toString("base64")])(
    "is refused that is not Base64 of UTF-8",
    (text) => {
      expect(() => readPostPolicy(text)).toThrow(expect.objectContaining({ code: "InvalidPolicyDocument" }));
    },
  );

  test("says how many bytes the file may have, and all ranges count", () => {
    const policy = readPostPolicy(
      encode({
        expiration,
        conditions: [
          ["content-length-range", 1, 5],
          ["content-length-range", 2, 9],
        ],
      }),
    );
    expect(postSizeRange(policy)).toEqual({ min: 2, max: 5 });
    for (const bytes of [2, 5]) checkPostSize(policy, bytes);
    expect(() => checkPostSize(policy, 1)).toThrow(expect.objectContaining({ code: "EntityTooSmall" }));
    expect(() => checkPostSize(policy, 6)).toThrow(expect.objectContaining({ code: "EntityTooLarge" }));
    checkPostSize(readPostPolicy(encode({ expiration, conditions: [] })), 0);
  });
});
