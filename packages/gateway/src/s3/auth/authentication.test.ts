import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { S3Authentication } from "../s3-authentication.ts";
import { S3Error } from "../s3-error.ts";
import type { S3Options } from "../s3-options.ts";
import type { S3Request } from "../s3-request.ts";
import { writeError } from "../xml/error-document.ts";
import { exampleNow, exampleSigner, received, receivedRaw } from "./testing/example-requests.ts";
import { emptySha256, presign, type Signable, type Signed, type Signer, signHeader } from "./testing/sign.ts";

const host = "examplebucket.s3.amazonaws.com";
const get: Signable = { method: "GET", path: "/a.txt", headers: { host } };
const place = { resource: "/a.txt", requestId: "1", hostId: "h" };

type Sent = Pick<Signed, "method" | "target" | "headers">;

async function admit(request: S3Request, now = exampleNow): Promise<S3Error | "taken"> {
  const clock = { now: () => now };
  const options = { env: { clock }, region: "us-east-1", domains: [] } as unknown as S3Options;
  const keys = {
    find: async (id: string) => {
      if (id !== exampleSigner.accessKeyId) throw new S3Error("InvalidAccessKeyId");
      return { key: {}, secret: exampleSigner.secretAccessKey };
    },
  };
  const authentication = new S3Authentication(options, keys as never);
  try {
    await authentication.admit(request, {} as ServerResponse);
    return "taken";
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    // Whatever it says must be writable.
    expect(writeError(error, place)).toContain(`<Code>${error.code}</Code>`);
    return error;
  }
}

async function codeOf(sent: Sent, now?: number): Promise<string> {
  const answer = await admit(received(sent), now);
  return answer === "taken" ? answer : answer.code;
}

/** A signed request whose Authorization header is then another one. */
function authorized(change: (authorization: string) => string): Sent {
  const signed = signHeader(exampleSigner, get);
  return { ...signed, headers: { ...signed.headers, authorization: change(signed.headers["authorization"] ?? "") } };
}

/** A presigned request whose target is then another one. */
function queried(change: (target: string) => string): Sent {
  const signed = presign(exampleSigner, get);
  return { ...signed, target: change(signed.target) };
}

function withHeaders(signed: Signed, headers: Record<string, string>): Sent {
  return { ...signed, headers: { ...signed.headers, ...headers } };
}

test("a signed request and a presigned one are let in", async () => {
  expect(await codeOf(signHeader(exampleSigner, get))).toBe("taken");
  expect(await codeOf(presign(exampleSigner, get))).toBe("taken");
});

test("a request without credentials is nobody's, and cannot have signed chunks", async () => {
  const anonymous = { ...get, target: "/a.txt", headers: { host } };
  expect(await codeOf(anonymous)).toBe("taken");
  const headers = { host, "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" };
  expect(await codeOf({ ...anonymous, headers })).toBe("AccessDenied");
});

describe("keys (A02, A03)", () => {
  test.each<[string, Partial<Signer>, string]>([
    ["another secret", { secretAccessKey: "another" }, "SignatureDoesNotMatch"],
    ["an empty secret", { secretAccessKey: "" }, "SignatureDoesNotMatch"],
    ["a key that nobody has", { accessKeyId: "AKIANOBODY" }, "InvalidAccessKeyId"],
  ])("%s", async (_name, change, code) => {
    expect(await codeOf(signHeader({ ...exampleSigner, ...change }, get))).toBe(code);
    expect(await codeOf(presign({ ...exampleSigner, ...change }, get))).toBe(code);
  });
});

describe("the scope (A04)", () => {
  test.each<[string, Partial<Signer>]>([
    ["another region", { region: "eu-west-1" }],
    ["another service", { scope: { service: "ec2" } }],
    ["another day", { scope: { date: "20130523" } }],
    ["no date", { scope: { date: "yesterday" } }],
    ["another terminator", { scope: { terminator: "aws3_request" } }],
  ])("%s is refused as malformed", async (_name, change) => {
    expect(await codeOf(signHeader({ ...exampleSigner, ...change }, get))).toBe("AuthorizationHeaderMalformed");
    expect(await codeOf(presign({ ...exampleSigner, ...change }, get))).toBe("AuthorizationQueryParametersError");
  });

  test("another region is told the right one", async () => {
    const answer = await admit(received(signHeader({ ...exampleSigner, region: "eu-west-1" }, get)));
    expect(answer).toMatchObject({ details: { Region: "us-east-1" } });
  });
});

describe("a malformed Authorization header (A05)", () => {
  test.each<[string, (text: string) => string, string]>([
    ["only the algorithm", () => "AWS4-HMAC-SHA256", "InvalidArgument"],
    ["the algorithm and a space", () => "AWS4-HMAC-SHA256 ", "AuthorizationHeaderMalformed"],
    ["empty", () => "", "InvalidArgument"],
    ["version 2", () => "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", "InvalidRequest"],
    ["Basic", () => "Basic YTpi", "InvalidArgument"],
    ["Bearer", () => "Bearer x", "InvalidArgument"],
    ["another algorithm", (it) => it.replace("SHA256", "SHA512"), "InvalidArgument"],
    ["small letters", (it) => it.replace("AWS4-HMAC-SHA256", "aws4-hmac-sha256"), "InvalidArgument"],
    ["no credential", (it) => it.replace(/Credential=[^,]*, /, ""), "AuthorizationHeaderMalformed"],
    ["no signed headers", (it) => it.replace(/SignedHeaders=[^,]*, /, ""), "AuthorizationHeaderMalformed"],
    ["no signature", (it) => it.replace(/, Signature=.*/, ""), "AuthorizationHeaderMalformed"],
    ["an empty signature", (it) => it.replace(/Signature=.*/, "Signature="), "AuthorizationHeaderMalformed"],
    ["a short signature", (it) => it.slice(0, -1), "AuthorizationHeaderMalformed"],
    ["a long signature", (it) => `${it}0`, "AuthorizationHeaderMalformed"],
    [
      "a signature in capitals",
      (it) => it.replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase()),
      "AuthorizationHeaderMalformed",
    ],
    ["a signature that is not hex", (it) => `${it.slice(0, -1)}é`, "AuthorizationHeaderMalformed"],
    ["a part too many", (it) => `${it}, More=1`, "AuthorizationHeaderMalformed"],
    [
      "a part that comes twice",
      (it) => it.replace("Credential=", "Credential=a/20130524/us-east-1/s3/aws4_request, Credential="),
      "AuthorizationHeaderMalformed",
    ],
    ["no commas", (it) => it.replaceAll(",", ""), "AuthorizationHeaderMalformed"],
    ["a credential of four parts", (it) => it.replace("/us-east-1", ""), "AuthorizationHeaderMalformed"],
    ["a credential of six parts", (it) => it.replace("/us-east-1", "/us-east-1/x"), "AuthorizationHeaderMalformed"],
    ["no key id", (it) => it.replace("Credential=AKIAIOSFODNN7EXAMPLE", "Credential="), "AuthorizationHeaderMalformed"],
    [
      "unsorted headers",
      (it) => it.replace("host;x-amz-content-sha256", "x-amz-content-sha256;host"),
      "AuthorizationHeaderMalformed",
    ],
    ["headers in capitals", (it) => it.replace("host;", "Host;"), "AuthorizationHeaderMalformed"],
    ["100 KB", (it) => `${it}${"0".repeat(100_000)}`, "InvalidArgument"],
  ])("%s", async (_name, change, code) => {
    expect(await codeOf(authorized(change))).toBe(code);
  });

  test("unchanged is taken, and so is one without spaces behind the commas", async () => {
    expect(await codeOf(authorized((it) => it))).toBe("taken");
    expect(await codeOf(authorized((it) => it.replaceAll(", ", ",")))).toBe("taken");
  });

  test("of version 2 is told what is needed", async () => {
    const answer = await admit(received(authorized(() => "AWS a:b")));
    expect(answer).toMatchObject({ message: expect.stringContaining("AWS4-HMAC-SHA256") });
  });

  test("without a date is refused", async () => {
    const { headers, ...rest } = signHeader(exampleSigner, get);
    const { "x-amz-date": _, ...undated } = headers;
    expect(await codeOf({ ...rest, headers: undated })).toBe("AccessDenied");
    expect(await codeOf({ ...rest, headers: { ...headers, "x-amz-date": "yesterday" } })).toBe("AccessDenied");
  });
});

describe("the time (A06)", () => {
  const minute = 60_000;
  test.each([
    [-15, "taken"],
    [15, "taken"],
    [-16, "RequestTimeTooSkewed"],
    [16, "RequestTimeTooSkewed"],
    [60 * 24 * 365, "RequestTimeTooSkewed"],
  ])("of a signed request may be wrong by fifteen minutes: %i", async (minutes, code) => {
    expect(await codeOf(signHeader(exampleSigner, get), exampleNow + minutes * minute)).toBe(code);
  });

  test("is told to whoever is wrong", async () => {
    expect(await admit(received(signHeader(exampleSigner, get)), exampleNow + 16 * minute)).toMatchObject({
      details: {
        ...{ RequestTime: "20130524T000000Z", ServerTime: "2013-05-24T00:16:00.000Z" },
        MaxAllowedSkewMilliseconds: "900000",
      },
    });
  });
});

describe("headers that are not signed (A08, A09)", () => {
  const names = ["copy-source", "tagging", "acl", "meta-a", "content-sha256", "security-token", "storage-class"];

  test.each(names.map((name) => `x-amz-${name}`))("%s is refused", async (name) => {
    for (const signed of [
      signHeader(exampleSigner, get, ["host", "x-amz-date", "x-amz-content-sha256"]),
      presign(exampleSigner, get),
    ]) {
      expect(await codeOf(signed)).toBe("taken");
      const value = name === "x-amz-content-sha256" ? "UNSIGNED-PAYLOAD" : "x";
      const answer = await admit(received(withHeaders(signed, { [name]: value })));
      // What is signed already is another signature; what is not is named.
      if (name in signed.headers) expect(answer).toMatchObject({ code: "SignatureDoesNotMatch" });
      else expect(answer).toMatchObject({ code: "AccessDenied", details: { HeadersNotSigned: name } });
    }
  });

  test("any other may be added on the way", async () => {
    expect(
      await codeOf(withHeaders(signHeader(exampleSigner, get), { "user-agent": "x", "x-forwarded-for": "::1" })),
    ).toBe("taken");
  });

  test("a host that is not signed is refused", async () => {
    const answer = await admit(received(signHeader(exampleSigner, get, ["x-amz-content-sha256", "x-amz-date"])));
    expect(answer).toMatchObject({ code: "AccessDenied", details: { HeadersNotSigned: "host" } });
  });

  test("two hosts, no host and an absolute target are refused", () => {
    const { headers } = signHeader(exampleSigner, get);
    const raw = Object.entries(headers).flat();
    const refused = (code: string): unknown => expect.objectContaining({ code });
    expect(() => receivedRaw("GET", "/a.txt", [...raw, "Host", "other"])).toThrow(refused("InvalidRequest"));
    expect(() => receivedRaw("GET", "/a.txt", raw.slice(2))).toThrow(refused("InvalidRequest"));
    expect(() => receivedRaw("GET", `http://${host}/a.txt`, raw)).toThrow(refused("InvalidURI"));
  });

  test("a header that is sent twice is signed as both", async () => {
    const tagged = { ...get, headers: { host, "x-amz-meta-a": "1,2" } };
    const { headers } = signHeader(exampleSigner, tagged);
    const { "x-amz-meta-a": _, ...others } = headers;
    const raw = [...Object.entries(others).flat(), "X-Amz-Meta-A", "1", "x-amz-meta-a", "2"];
    expect(await admit(receivedRaw("GET", "/a.txt", raw))).toBe("taken");
  });
});

describe("credentials in the query (A11, A17)", () => {
  const without = (name: string) => (target: string) =>
    target.replace(new RegExp(`[?&]${name}=[^&]*`), "").replace(/^([^?&]*)&/, "$1?");
  const parts = ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"].map(
    (name) => `X-Amz-${name}`,
  );

  test.each(parts)("without %s are refused", async (name) => {
    expect(await codeOf(queried(without(name)))).toBe("AuthorizationQueryParametersError");
  });

  test.each(parts)("that are only %s are refused", async (name) => {
    expect(await codeOf(queried((target) => `/a.txt?${new RegExp(`${name}=[^&]*`).exec(target)?.[0]}`))).toBe(
      "AuthorizationQueryParametersError",
    );
  });

  test.each(["0", "-1", "604801", "soon", "", "1.5", "1e3", "9999999999"])(
    "that expire after '%s' are refused",
    async (expires) => {
      expect(await codeOf(presign(exampleSigner, get, { expires }))).toBe("AuthorizationQueryParametersError");
    },
  );

  test.each([
    ["1", 1000, "taken"],
    ["1", 1001, "AccessDenied"],
    ["604800", 604_800_000, "taken"],
    ["604800", 604_801_000, "AccessDenied"],
    ["3600", -900_000, "taken"],
    ["3600", -901_000, "AccessDenied"],
  ])("that are good for %s seconds are asked for after %i ms: %s", async (expires, afterMs, code) => {
    expect(await codeOf(presign(exampleSigner, get, { expires }), exampleNow + afterMs)).toBe(code);
  });

  test("that have expired are told when", async () => {
    expect(await admit(received(presign(exampleSigner, get, { expires: "60" })), exampleNow + 61_000)).toMatchObject({
      message: "Request has expired",
      details: { "X-Amz-Expires": "60", Expires: "2013-05-24T00:01:00.000Z", ServerTime: "2013-05-24T00:01:01.000Z" },
    });
  });
});

test("credentials in both places are refused, of whatever version (A12)", async () => {
  const { headers } = signHeader(exampleSigner, get);
  expect(
    await codeOf(withHeaders(presign(exampleSigner, get), { authorization: headers["authorization"] ?? "" })),
  ).toBe("InvalidArgument");
  expect(await codeOf({ method: "GET", target: "/a.txt?AWSAccessKeyId=a&Signature=b&Expires=1", headers })).toBe(
    "InvalidArgument",
  );
});

test("a presigned request of version 2 is told what is needed", async () => {
  expect(
    await codeOf({ method: "GET", target: "/a.txt?AWSAccessKeyId=a&Signature=b&Expires=1", headers: { host } }),
  ).toBe("InvalidRequest");
});

describe("x-amz-content-sha256 (A10, A13)", () => {
  const modes = [
    "UNSIGNED-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  ];
  const put = (payload: string): Signable => ({
    ...{ method: "PUT", path: "/a.txt", payload },
    headers: { host, "x-amz-decoded-content-length": "0" },
  });

  test.each([...modes, emptySha256])("%s is taken, and not with an invented signature", async (payload) => {
    const signed = signHeader(exampleSigner, put(payload));
    expect(await codeOf(signed)).toBe("taken");
    const invented = (signed.headers["authorization"] ?? "").replace(/[0-9a-f]{64}$/, "a".repeat(64));
    expect(await codeOf(withHeaders(signed, { authorization: invented }))).toBe("SignatureDoesNotMatch");
  });

  test.each([
    ...modes.map((mode) => mode.toLowerCase()),
    "",
    "x",
    "STREAMING-X",
    emptySha256.toUpperCase(),
    `${emptySha256}0`,
    `${emptySha256}, ${emptySha256}`,
  ])("'%s' is refused", async (payload) => {
    expect(await codeOf(signHeader(exampleSigner, put(payload)))).toBe("InvalidArgument");
  });

  test("must be there", async () => {
    const { headers, ...rest } = signHeader(exampleSigner, get, ["host", "x-amz-date"]);
    const { "x-amz-content-sha256": _, ...others } = headers;
    expect(await codeOf({ ...rest, headers: others })).toBe("InvalidRequest");
  });

  test.each(modes.slice(1))("%s needs the length of what is in it", async (payload) => {
    expect(await codeOf(signHeader(exampleSigner, { ...put(payload), headers: { host } }))).toBe(
      "MissingContentLength",
    );
  });

  test.each(["-1", "x", "", "1e3", "9".repeat(20)])("a decoded length of '%s' is refused", async (length) => {
    const headers = { host, "x-amz-decoded-content-length": length };
    expect(await codeOf(signHeader(exampleSigner, { ...put("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), headers }))).toBe(
      "InvalidArgument",
    );
  });
});
