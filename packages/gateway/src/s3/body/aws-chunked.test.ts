import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { chunkedBody } from "../auth/testing/chunked-body.ts";
import { exampleSigner } from "../auth/testing/example-requests.ts";
import { ChunkSigner, type Signer, scopeOf, signHeader, signingKeyOf } from "../auth/testing/sign.ts";
import { S3Error } from "../s3-error.ts";
import { type ChunkedBody, decodeChunks } from "./aws-chunked.ts";

const seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const chunks = [Buffer.alloc(65_536, "a"), Buffer.alloc(1024, "a")];
const size = 66_560;
const crc32c = "x-amz-checksum-crc32c";

/** What is left of the options of a test is what an honest client says. */
interface Expected {
  readonly size?: number;
  readonly signer?: Signer | undefined;
  readonly seed?: string;
  readonly trailers?: readonly string[];
}

function bodyOf(expected: Expected, trailers = new Map<string, string>()): ChunkedBody {
  const signer = expected.signer;
  return {
    size: expected.size ?? size,
    trailers: expected.trailers ?? [],
    onTrailer: (name, value) => trailers.set(name, value),
    seal: signer && {
      ...{ signingKey: signingKeyOf(signer), timestamp: signer.timestamp },
      ...{ scope: scopeOf(signer), seed: expected.seed ?? seed },
    },
  };
}

async function* pieces(bytes: Uint8Array, cuts: readonly number[] = []): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

async function decode(bytes: Uint8Array, body: ChunkedBody, cuts?: readonly number[]): Promise<Buffer> {
  const out: Uint8Array[] = [];
  for await (const piece of decodeChunks(pieces(bytes, cuts), body)) out.push(Uint8Array.from(piece));
  return Buffer.concat(out);
}

async function refusal(bytes: Uint8Array, body: ChunkedBody): Promise<string> {
  try {
    await decode(bytes, body);
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
  return "taken";
}

const signedBody = (): Buffer => chunkedBody(chunks, { signer: exampleSigner, seed });
const text = (...parts: readonly string[]): Buffer => Buffer.from(parts.join(""), "latin1");

describe("the examples of the S3 API reference", () => {
  const headers = {
    ...{ host: "s3.amazonaws.com", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
    ...{ "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "66560" },
  };
  const request = { method: "PUT", path: "/examplebucket/chunkObject.txt" };

  test("a body in signed chunks", async () => {
    const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const signed = signHeader(exampleSigner, {
      ...{ ...request, payload, headers: { ...headers, "content-length": "66824" } },
    });
    expect(signed.signature).toBe(seed);
    const signatures = [
      "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    const bytes = text(
      ...[`10000;chunk-signature=${signatures[0]}\r\n`, "a".repeat(65_536), "\r\n"],
      ...[`400;chunk-signature=${signatures[1]}\r\n`, "a".repeat(1024), "\r\n"],
      `0;chunk-signature=${signatures[2]}\r\n\r\n`,
    );
    expect(bytes.length).toBe(66_824);
    expect(bytes.equals(signedBody())).toBe(true);
    expect(await decode(bytes, bodyOf({ signer: exampleSigner }))).toEqual(Buffer.concat(chunks));
  });

  test("a body in signed chunks with a signed trailer", async () => {
    const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    const signed = signHeader(exampleSigner, {
      ...{ ...request, payload, headers: { ...headers, "x-amz-trailer": crc32c } },
    });
    expect(signed.signature).toBe("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    const chain = new ChunkSigner(exampleSigner, signed.signature);
    const signatures = [...chunks, Buffer.alloc(0)].map((chunk) => chain.chunk(chunk));
    expect(signatures).toEqual([
      "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
      "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
      "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]);
    const last = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    expect(chain.trailer(`${crc32c}:sOO8/Q==\n`)).toBe(last);
    const trailers = new Map<string, string>();
    const body = bodyOf({ signer: exampleSigner, seed: signed.signature, trailers: [crc32c] }, trailers);
    const trailer = { lines: [`${crc32c}:sOO8/Q==`], signature: last };
    const bytes = chunkedBody(chunks, { signer: exampleSigner, seed: signed.signature, trailer });
    expect(await decode(bytes, body)).toEqual(Buffer.concat(chunks));
    expect(trailers).toEqual(new Map([[crc32c, "sOO8/Q=="]]));
  });
});

describe("signed chunks (A14)", () => {
  const body = bodyOf({ signer: exampleSigner });
  const good = signedBody();
  const [first, second] = [good.subarray(0, 65_626), good.subarray(65_626, 66_738)];
  const last = good.subarray(66_738);

  test("as they were signed are taken", async () => {
    expect(Buffer.concat([first, second, last]).equals(good)).toBe(true);
    expect(await refusal(good, body)).toBe("taken");
  });

  const flipped = Buffer.from(good);
  flipped[1000] = 0x62;
  test.each<[string, Buffer, string]>([
    ["a byte is another one", flipped, "SignatureDoesNotMatch"],
    [
      "the key is another one",
      chunkedBody(chunks, { signer: { ...exampleSigner, secretAccessKey: "x" }, seed }),
      "SignatureDoesNotMatch",
    ],
    [
      "they are of another request",
      chunkedBody(chunks, { signer: exampleSigner, seed: "0".repeat(64) }),
      "SignatureDoesNotMatch",
    ],
    [
      "they are of another day",
      chunkedBody(chunks, { signer: { ...exampleSigner, timestamp: "20130525T000000Z" }, seed }),
      "SignatureDoesNotMatch",
    ],
    ["two are swapped", Buffer.concat([second, first, last]), "SignatureDoesNotMatch"],
    ["one is left out", Buffer.concat([first, last]), "SignatureDoesNotMatch"],
    ["one comes twice", Buffer.concat([second, second, first, last]), "SignatureDoesNotMatch"],
    ["the last is missing", Buffer.concat([first, second]), "IncompleteBody"],
    [
      "the signature of the last is wrong",
      Buffer.concat([first, second, text(`0;chunk-signature=${"0".repeat(64)}\r\n\r\n`)]),
      "SignatureDoesNotMatch",
    ],
    ["they are cut off within the bytes", good.subarray(0, 40_000), "IncompleteBody"],
    ["they are cut off within a signature", good.subarray(0, 40), "IncompleteBody"],
    ["one is not signed", chunkedBody(chunks), "SignatureDoesNotMatch"],
    ["a chunk follows the last", Buffer.concat([good, first]), "IncompleteBody"],
    ["bytes follow the end", Buffer.concat([good, text("x")]), "IncompleteBody"],
  ])("are refused when %s", async (_name, bytes, code) => {
    expect(await refusal(bytes, body)).toBe(code);
  });
});

describe("the framing (A15)", () => {
  const plain = bodyOf({ size: 5 });
  test.each([
    ["one chunk", "5\r\nhello\r\n0\r\n\r\n"],
    ["several", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
    ["zeros before the size, capitals", "005\r\nhello\r\n000\r\n\r\n"],
    ["no empty line at the end", "5\r\nhello\r\n0\r\n"],
  ])("is read: %s", async (_name, bytes) => {
    expect(await decode(text(bytes), plain)).toEqual(text("hello"));
  });

  test.each([
    ["no size", "\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["a size that is no number", "g\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["a size below zero", "-5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["0x", "0x5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["a space", " 5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["a size of 17 digits", "10000000000000005\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["a size that is more than the body", "ffffffff\r\nhello\r\n0\r\n\r\n", "IncompleteBody"],
    ["another extension", "5;a=b\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["an extension of 1 MiB", `5;${"a".repeat(1 << 20)}\r\nhello\r\n0\r\n\r\n`, "InvalidChunkSizeError"],
    ["a signature where none is asked for", `5;chunk-signature=${seed}\r\nhello\r\n0\r\n\r\n`, "SignatureDoesNotMatch"],
    ["a bare line feed", "5\nhello\n0\n\n", "IncompleteBody"],
    ["a chunk longer than its size", "4\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"],
    ["a chunk shorter than its size", "6\r\nhello\r\n0\r\n\r\n", "IncompleteBody"],
    ["fewer bytes than announced", "4\r\nhell\r\n0\r\n\r\n", "IncompleteBody"],
    ["more bytes than announced", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "IncompleteBody"],
    ["no last chunk", "5\r\nhello\r\n", "IncompleteBody"],
    ["nothing", "", "IncompleteBody"],
    ["bytes behind the end", "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", "IncompleteBody"],
  ])("is refused: %s", async (_name, bytes, code) => {
    expect(await refusal(text(bytes), plain)).toBe(code);
  });

  test("is given up on at the first line without an end, however much would come", async () => {
    let sent = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        sent += 1024;
        yield Buffer.alloc(1024, "1");
      }
    }
    await expect(decodeChunks(endless(), plain).next()).rejects.toMatchObject({ code: "InvalidChunkSizeError" });
    expect(sent).toBeLessThanOrEqual(2048);
  });
});

describe("the trailer (A16)", () => {
  const hello = "5\r\nhello\r\n0\r\n";
  const value = "mnG7TA==";
  const unsigned = (trailers: Map<string, string> = new Map()): ChunkedBody =>
    bodyOf({ size: 5, trailers: [crc32c] }, trailers);

  test.each([
    ["as the SDKs send it", `${crc32c}:${value}\r\n\r\n`],
    ["in capitals and with a space", `X-Amz-Checksum-CRC32C: ${value}\r\n\r\n`],
    ["without an empty line", `${crc32c}:${value}\r\n`],
    ["with the line feed of the reference's example", `${crc32c}:${value}\n\r\n\r\n`],
  ])("is handed over %s", async (_name, trailer) => {
    const trailers = new Map<string, string>();
    expect(await decode(text(hello, trailer), unsigned(trailers))).toEqual(text("hello"));
    expect(trailers).toEqual(new Map([[crc32c, value]]));
  });

  test.each([
    ["it is missing", "\r\n", "MalformedTrailerError"],
    ["it is another one", "x-amz-checksum-sha1:x\r\n\r\n", "MalformedTrailerError"],
    ["there is one more", `${crc32c}:${value}\r\nx-amz-meta-a:b\r\n\r\n`, "MalformedTrailerError"],
    ["it comes twice", `${crc32c}:${value}\r\n${crc32c}:${value}\r\n\r\n`, "MalformedTrailerError"],
    ["it has no colon", `${crc32c}\r\n\r\n`, "MalformedTrailerError"],
    ["it has no name", `:${value}\r\n\r\n`, "MalformedTrailerError"],
    ["it is too long", `${crc32c}:${"a".repeat(1 << 20)}\r\n\r\n`, "MalformedTrailerError"],
    [
      "it is signed where nothing is",
      `${crc32c}:${value}\r\nx-amz-trailer-signature:${seed}\r\n\r\n`,
      "MalformedTrailerError",
    ],
    ["it is cut off", `${crc32c}:mn`, "IncompleteBody"],
    ["bytes follow it", `${crc32c}:${value}\r\n\r\nx`, "IncompleteBody"],
  ])("is refused when %s", async (_name, trailer, code) => {
    const trailers = new Map<string, string>();
    expect(await refusal(text(hello, trailer), unsigned(trailers))).toBe(code);
    expect(trailers.size).toBe(0);
  });

  const signed = bodyOf({ signer: exampleSigner, trailers: [crc32c] });
  const lines = [`${crc32c}:${value}`];
  const good = chunkedBody(chunks, { signer: exampleSigner, seed, trailer: { lines } });

  test("is taken with its signature", async () => {
    expect(await refusal(good, signed)).toBe("taken");
    // minio's client ends a line as the reference's example does.
    expect(
      await refusal(chunkedBody(chunks, { signer: exampleSigner, seed, trailer: { lines: [`${lines}\n`] } }), signed),
    ).toBe("taken");
  });

  const end = good.toString("latin1");
  test.each<[string, Buffer, string]>([
    [
      "the signature is wrong",
      chunkedBody(chunks, { signer: exampleSigner, seed, trailer: { lines, signature: "0".repeat(64) } }),
      "SignatureDoesNotMatch",
    ],
    [
      "the signature has characters outside ASCII",
      chunkedBody(chunks, { signer: exampleSigner, seed, trailer: { lines, signature: "é".repeat(64) } }),
      "SignatureDoesNotMatch",
    ],
    ["the value is another one", text(end.replace(value, "AAAAAA==")), "SignatureDoesNotMatch"],
    ["the signature is missing", text(end.replace(/x-amz-trailer-signature:.*\r\n/, "")), "SignatureDoesNotMatch"],
    ["the signature comes twice", text(end.replace(/x-amz-trailer-signature:.*\r\n/, "$&$&")), "MalformedTrailerError"],
    ["all of it is missing", signedBody(), "MalformedTrailerError"],
  ])("is refused when signed and %s", async (_name, bytes, code) => {
    expect(await refusal(bytes, signed)).toBe(code);
  });

  test("is refused where none was announced", async () => {
    expect(await refusal(text(hello, `${crc32c}:${value}\r\n\r\n`), bodyOf({ size: 5 }))).toBe("MalformedTrailerError");
  });
});

describe("however the bytes are cut", () => {
  const start = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

  function chance(state: number): (below: number) => number {
    let now = state >>> 0;
    return (below) => {
      now = (Math.imul(now, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((now / 2 ** 32) * below);
    };
  }

  test(`they decode to the same (SEED=${start})`, async () => {
    for (let round = 0; round < 300; round++) {
      const random = chance(start + round);
      const chunks = Array.from({ length: random(6) }, () => {
        const fill = random(256);
        return Buffer.alloc(1 + random(round % 10 === 0 ? 100_000 : 300), fill);
      });
      const whole = Buffer.concat(chunks);
      const signer = random(2) === 0 ? exampleSigner : undefined;
      const trailers = random(2) === 0 ? [crc32c] : [];
      const trailer = trailers.length > 0 ? { trailer: { lines: [`${crc32c}:AAAAAA==`] } } : {};
      const bytes = chunkedBody(chunks, { ...(signer ? { signer, seed } : {}), ...trailer });
      const cuts = Array.from({ length: random(40) }, () => random(bytes.length)).sort((a, b) => a - b);
      const found = new Map<string, string>();
      const body = bodyOf({ size: whole.length, signer, trailers }, found);
      expect(sha1(await decode(bytes, body, cuts)), `SEED=${start}, round ${round}`).toBe(sha1(whole));
      expect([...found.keys()]).toEqual(trailers);
    }
  });

  test(`one changed byte of a signed body is never taken for the bytes that were signed (SEED=${start})`, async () => {
    const whole = Buffer.from("The quick brown fox jumps over the lazy dog");
    const bytes = chunkedBody([whole.subarray(0, 20), whole.subarray(20)], {
      ...{ signer: exampleSigner, seed, trailer: { lines: [`${crc32c}:AAAAAA==`] } },
    });
    const random = chance(start);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 + random(255));
      const found = new Map<string, string>();
      try {
        const out = await decode(
          changed,
          bodyOf({ size: whole.length, signer: exampleSigner, trailers: [crc32c] }, found),
        );
        // A size or a name may be spelled in more than one way; the bytes and the value may not change.
        expect(out.equals(whole), `SEED=${start}, byte ${at}`).toBe(true);
        expect(found).toEqual(new Map([[crc32c, "AAAAAA=="]]));
      } catch (error) {
        if (!(error instanceof S3Error)) throw error;
      }
    }
  });

  test("no byte is copied on its way through", async () => {
    const bytes = chunkedBody(chunks);
    for await (const piece of decodeChunks(pieces(bytes), bodyOf({}))) expect(piece.buffer).toBe(bytes.buffer);
  });
});

function sha1(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}
