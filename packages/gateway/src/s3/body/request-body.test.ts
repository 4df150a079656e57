import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { Clock } from "@cairn/env";
import { describe, expect, test } from "vitest";
import { type PayloadMode, payloadMode } from "../auth/payload-mode.ts";
import { chunkedBody } from "../auth/testing/chunked-body.ts";
import { S3Error } from "../s3-error.ts";
import type { S3Request } from "../s3-request.ts";
import { RequestBody } from "./request-body.ts";

const hello = Buffer.from("hello");
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

interface Sent {
  readonly bytes?: Uint8Array;
  readonly raw?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
  readonly clock?: Partial<Clock>;
}

/** Counts how often the client was asked to go on. */
function bodyOf(
  mode: PayloadMode,
  { bytes = hello, raw, headers = {}, clock }: Sent,
): { body: RequestBody; asked: () => number } {
  let asked = 0;
  const after: Clock["after"] = () => ({ cancel: () => undefined });
  const body = new RequestBody({
    mode,
    request: {
      method: "PUT",
      headers,
      raw: raw ?? Readable.from([bytes], { objectMode: false }),
    } as unknown as S3Request & {
      raw: IncomingMessage;
    },
    response: { headersSent: false, writeContinue: () => asked++ } as unknown as ServerResponse,
    seal: { signingKey: Buffer.alloc(32), timestamp: "", scope: "", seed: "" },
    clock: { monotonic: () => 0, after, ...clock } as Clock,
  });
  return { body, asked: () => asked };
}

async function refusal(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "taken";
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

describe("a plain body", () => {
  test("comes through, and its size is that of the header", async () => {
    const { body } = bodyOf(payloadMode("UNSIGNED-PAYLOAD"), { headers: { "content-length": "5" } });
    expect(body.size).toBe(5);
    expect(await body.whole(5)).toEqual(hello);
  });

  test("must be the one that was signed (A07)", async () => {
    expect(await refusal(() => bodyOf({ kind: "sha256", hex: sha256(hello) }, {}).body.whole(5))).toBe("taken");
    const other = bodyOf({ kind: "sha256", hex: sha256(Buffer.from("hallo")) }, {});
    expect(await refusal(() => other.body.whole(5))).toBe("XAmzContentSHA256Mismatch");
  });

  test("that is read as a whole has a limit, whatever its header says", async () => {
    const mode = payloadMode("UNSIGNED-PAYLOAD");
    expect(await refusal(() => bodyOf(mode, {}).body.whole(4))).toBe("MaxMessageLengthExceeded");
    const headers = { "content-length": "9" };
    expect(await refusal(() => bodyOf(mode, { headers }).body.whole(8))).toBe("MaxMessageLengthExceeded");
  });

  test("that breaks off is incomplete", async () => {
    const raw = new Readable({
      read() {
        this.destroy(new Error("aborted"));
      },
    });
    expect(await refusal(() => bodyOf(payloadMode("UNSIGNED-PAYLOAD"), { raw }).body.whole(5))).toBe("IncompleteBody");
  });

  test("that comes too slowly is told so", async () => {
    const after: Clock["after"] = (_ms, callback) => {
      setImmediate(callback);
      return { cancel: () => undefined };
    };
    const raw = new Readable({ read: () => undefined });
    expect(await refusal(() => bodyOf(payloadMode("UNSIGNED-PAYLOAD"), { raw, clock: { after } }).body.whole(5))).toBe(
      "RequestTimeout",
    );
  });

  test("is asked for when the client waits to be asked, and not before", async () => {
    const { body, asked } = bodyOf(payloadMode("UNSIGNED-PAYLOAD"), { headers: { expect: "100-Continue" } });
    expect(asked()).toBe(0);
    await body.whole(5);
    expect(asked()).toBe(1);
  });
});

describe("a body in chunks", () => {
  const headers = {
    ...{ "x-amz-decoded-content-length": "5", "content-length": "999" },
    ...{ "x-amz-trailer": " X-Amz-Checksum-CRC32 " },
  };
  const bytes = chunkedBody([hello], { trailer: { lines: ["x-amz-checksum-crc32:NhCmhg=="] } });

  test("hands over its trailer when it has ended", async () => {
    const { body } = bodyOf(payloadMode("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), { bytes, headers });
    expect(body.size).toBe(5);
    expect(await body.whole(5)).toEqual(hello);
    expect(body.trailers).toEqual(new Map([["x-amz-checksum-crc32", "NhCmhg=="]]));
  });

  test("has no trailer where its kind has none", async () => {
    const { body } = bodyOf(payloadMode("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), { bytes, headers });
    expect(await refusal(() => body.whole(5))).toBe("SignatureDoesNotMatch");
    expect(body.trailers.size).toBe(0);
  });
});

test("what is left of a refused body can be read away, so that the connection serves the next request", async () => {
  const raw = Readable.from([Buffer.from("zz\r\n"), Buffer.alloc(10_000), Buffer.alloc(10_000)], { objectMode: false });
  const headers = { "x-amz-decoded-content-length": "5" };
  const { body } = bodyOf(payloadMode("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), { raw, headers });
  expect(await refusal(() => body.whole(5))).toBe("InvalidChunkSizeError");
  const ended = new Promise((resolve) => raw.once("end", () => resolve("ended")));
  raw.resume();
  expect(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 500, "stuck"))])).toBe("ended");
});
