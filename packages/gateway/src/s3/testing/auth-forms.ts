import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { chunkedBody } from "../auth/testing/chunked-body.ts";
import { presign, type Signable, type Signed, type Signer, signHeader } from "../auth/testing/sign.ts";

/** What is asked for, before anybody has signed it. */
export interface Wanted {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A request with its body, ready to be changed and sent. */
export interface Ready {
  readonly signed: Signed;
  readonly body: Uint8Array | undefined;
}

/** One of the ways to sign a request. */
export interface AuthForm {
  readonly name: string;
  /** Where the signature stands. */
  readonly from: "header" | "query";
  readonly make: (signer: Signer, wanted: Wanted) => Ready;
}

/** A wrong body for a request that is signed as it must be, and the codes that S3 answers. */
export interface BodyFault {
  readonly form: string;
  readonly name: string;
  readonly codes: readonly string[];
  readonly make: (signer: Signer, wanted: Wanted) => Ready;
}

const chunkSigned = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const chunkSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** Signature Version 4 in all the ways that a request can carry it. */
export const authForms: readonly AuthForm[] = [
  {
    name: "header, signed body",
    from: "header",
    make: (signer, wanted) => plain(signHeader(signer, { ...wanted, payload: sha256(wanted.body) }), wanted),
  },
  {
    name: "header, UNSIGNED-PAYLOAD",
    from: "header",
    make: (signer, wanted) => plain(signHeader(signer, { ...wanted, payload: "UNSIGNED-PAYLOAD" }), wanted),
  },
  { name: "signed chunks", from: "header", make: (signer, wanted) => framed(signer, wanted, chunkSigned) },
  {
    name: "signed chunks and trailer",
    from: "header",
    make: (signer, wanted) => framed(signer, wanted, chunkSignedTrailer),
  },
  {
    name: "unsigned chunks and trailer",
    from: "header",
    make: (signer, wanted) => framed(signer, wanted, unsignedTrailer),
  },
  { name: "presigned", from: "query", make: (signer, wanted) => plain(presign(signer, wanted), wanted) },
];

/** Throws for a name that is none. */
export function formOf(name: string): AuthForm {
  const form = authForms.find((it) => it.name === name);
  if (!form) throw new Error(`there is no form ${name}`);
  return form;
}

/** What may be wrong with a body of each form. */
export const bodyFaults: readonly BodyFault[] = [
  {
    ...{ form: "header, signed body", name: "another body", codes: ["XAmzContentSHA256Mismatch"] },
    make: (signer, wanted) =>
      plain(signHeader(signer, { ...wanted, payload: sha256(wanted.body) }), { ...wanted, body: altered(wanted.body) }),
  },
  {
    ...{ form: "header, UNSIGNED-PAYLOAD", name: "another body than its Content-MD5", codes: ["BadDigest"] },
    make: (signer, wanted) => {
      const headers = { ...wanted.headers, "content-md5": md5(altered(wanted.body)) };
      return plain(signHeader(signer, { ...wanted, headers, payload: "UNSIGNED-PAYLOAD" }), wanted);
    },
  },
  {
    ...{ form: "presigned", name: "another body than its checksum", codes: ["BadDigest"] },
    make: (signer, wanted) => {
      const headers = { ...wanted.headers, "x-amz-checksum-crc32": crcOf(altered(wanted.body)) };
      return plain(presign(signer, { ...wanted, headers }), wanted);
    },
  },
  ...[chunkSigned, chunkSignedTrailer].flatMap((payload): BodyFault[] => {
    const form = payload === chunkSigned ? "signed chunks" : "signed chunks and trailer";
    const change = (name: string, codes: readonly string[], make: (body: Buffer) => Uint8Array): BodyFault => ({
      ...{ form, name, codes },
      make: (signer, wanted) => {
        const { signed, body } = framed(signer, wanted, payload);
        return { signed, body: make(Buffer.from(body ?? [])) };
      },
    });
    return [
      change("an altered chunk", ["SignatureDoesNotMatch"], (body) => alteredAt(body, body.indexOf("\r\n") + 2)),
      change("an altered chunk signature", ["SignatureDoesNotMatch"], (body) =>
        Buffer.from(body.toString("latin1").replace(/(?<=signature=)./, otherDigit), "latin1"),
      ),
      change("no chunk signature", ["SignatureDoesNotMatch"], (body) =>
        Buffer.from(body.toString("latin1").replace(/;chunk-signature=[0-9a-f]{64}/, ""), "latin1"),
      ),
      change("no last chunk", ["IncompleteBody"], (body) => body.subarray(0, body.lastIndexOf("\r\n0;") + 2)),
      change("bytes behind the end", ["IncompleteBody", "MalformedTrailerError"], (body) =>
        Buffer.concat([body, Buffer.from("more")]),
      ),
    ];
  }),
  ...trailerFaults("signed chunks and trailer", chunkSignedTrailer, "SignatureDoesNotMatch"),
  ...trailerFaults("unsigned chunks and trailer", unsignedTrailer, "BadDigest"),
];

function trailerFaults(form: string, payload: string, altered: string): BodyFault[] {
  const change = (name: string, code: string, make: (text: string) => string): BodyFault => ({
    ...{ form, name, codes: [code] },
    make: (signer, wanted) => {
      const { signed, body } = framed(signer, wanted, payload);
      return { signed, body: Buffer.from(make(Buffer.from(body ?? []).toString("latin1")), "latin1") };
    },
  });
  return [
    change("another trailer", altered, (text) => text.replace(/crc32:.{6}/, "crc32:AAAAAA")),
    change("no trailer", "MalformedTrailerError", (text) => text.replace(/x-amz-checksum-crc32:[^\r]*\r\n/, "")),
    change("a trailer that is not announced", "MalformedTrailerError", (text) =>
      text.replace("x-amz-checksum-crc32:", "x-amz-checksum-crc32c:"),
    ),
    change("a trailer twice", "MalformedTrailerError", (text) =>
      text.replace(/(x-amz-checksum-crc32:[^\r]*\r\n)/, "$1$1"),
    ),
  ];
}

function otherDigit(digit: string): string {
  return digit === "0" ? "1" : "0";
}

function plain(signed: Signed, { method, body }: Wanted): Ready {
  return { signed, body: hasBody(method) ? body : undefined };
}

function framed(signer: Signer, wanted: Wanted, payload: string): Ready {
  const trailer = payload !== chunkSigned;
  const headers: Record<string, string> = {
    ...wanted.headers,
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": String(wanted.body.length),
    ...(trailer ? { "x-amz-trailer": "x-amz-checksum-crc32" } : {}),
  };
  const signable: Signable = { ...wanted, headers, payload };
  const signed = signHeader(signer, signable);
  if (!hasBody(wanted.method)) return { signed, body: undefined };
  const lines = [`x-amz-checksum-crc32:${crcOf(wanted.body)}`];
  const body = chunkedBody(wanted.body.length === 0 ? [] : [wanted.body], {
    ...(payload === unsignedTrailer ? {} : { signer, seed: signed.signature }),
    ...(trailer ? { trailer: { lines } } : {}),
  });
  return { signed, body };
}

function hasBody(method: string): boolean {
  return method === "PUT" || method === "POST";
}

function altered(body: Uint8Array): Uint8Array {
  return body.length === 0 ? Buffer.from("x") : alteredAt(body, 0);
}

function alteredAt(body: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(body);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function crcOf(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString("base64");
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("base64");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
