import { createHash, createHmac } from "node:crypto";

/** Who signs, when and for where. Every part may be a wrong one: the attack tests are made of that. */
export interface Signer {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** YYYYMMDDTHHMMSSZ. */
  readonly timestamp: string;
  readonly region: string;
  /** Absent: that of `timestamp`, s3 and aws4_request. */
  readonly scope?: { readonly date?: string; readonly service?: string; readonly terminator?: string };
}

/** What is signed. `path` and `query` stand as they are sent. */
export interface Signable {
  readonly method: string;
  /** Percent-encoded, as it is sent. */
  readonly path: string;
  /** Without the question mark. */
  readonly query?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Value of x-amz-content-sha256. Absent: that of an empty body; UNSIGNED-PAYLOAD of a presigned request. */
  readonly payload?: string;
}

/** A request as it goes out; to be changed at will before it does. */
export interface Signed {
  readonly method: string;
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly signature: string;
}

export const emptySha256: string = createHash("sha256").digest("hex");

/** With an Authorization header. `signed`: names of the headers to sign, absent: all. */
export function signHeader(signer: Signer, request: Signable, signed?: readonly string[]): Signed {
  const payload = request.payload ?? emptySha256;
  const headers: Record<string, string> = {
    ...lowerCased(request.headers),
    "x-amz-content-sha256": payload,
    "x-amz-date": signer.timestamp,
  };
  const names = [...(signed ?? Object.keys(headers))].sort();
  const canonical = canonicalOf({ ...request, headers, payload }, names);
  const signature = sign(signer, signable(signer, canonical));
  headers["authorization"] =
    `AWS4-HMAC-SHA256 Credential=${signer.accessKeyId}/${scopeOf(signer)}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { method: request.method, target: targetOf(request.path, request.query), headers, signature };
}

/** In the query. All headers are signed unless `signed` names fewer. */
export function presign(
  signer: Signer,
  request: Signable,
  { expires = "3600", signed }: { readonly expires?: string; readonly signed?: readonly string[] } = {},
): Signed {
  const headers = lowerCased(request.headers);
  const names = [...(signed ?? Object.keys(headers))].sort();
  const query = [
    ...(request.query ? [request.query] : []),
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    `X-Amz-Credential=${percent(`${signer.accessKeyId}/${scopeOf(signer)}`)}`,
    `X-Amz-Date=${signer.timestamp}`,
    `X-Amz-Expires=${expires}`,
    `X-Amz-SignedHeaders=${percent(names.join(";"))}`,
  ].join("&");
  const canonical = canonicalOf({ ...request, query, headers, payload: request.payload ?? "UNSIGNED-PAYLOAD" }, names);
  const signature = sign(signer, signable(signer, canonical));
  return {
    method: request.method,
    target: `${request.path}?${query}&X-Amz-Signature=${signature}`,
    headers,
    signature,
  };
}

/** The signature of a form's policy. */
export function signPolicy(signer: Signer, policy: string): string {
  return sign(signer, policy);
}

/** Signs chunk after chunk, and the trailer. */
export class ChunkSigner {
  readonly #signer: Signer;
  /** The signature that the next one follows. */
  before: string;

  constructor(signer: Signer, seed: string) {
    this.#signer = signer;
    this.before = seed;
  }

  chunk(bytes: Uint8Array): string {
    return this.#next("AWS4-HMAC-SHA256-PAYLOAD", `${emptySha256}\n${sha256(bytes)}`);
  }

  /** `lines`: `name:value\n` each. */
  trailer(lines: string): string {
    return this.#next("AWS4-HMAC-SHA256-TRAILER", sha256(lines));
  }

  #next(algorithm: string, end: string): string {
    const text = `${algorithm}\n${this.#signer.timestamp}\n${scopeOf(this.#signer)}\n${this.before}\n${end}`;
    this.before = sign(this.#signer, text);
    return this.before;
  }
}

export function signingKeyOf(signer: Signer): Buffer {
  let key = Buffer.from(`AWS4${signer.secretAccessKey}`);
  for (const part of scopeOf(signer).split("/")) key = createHmac("sha256", key).update(part).digest();
  return key;
}

export function scopeOf({ timestamp, region, scope }: Signer): string {
  const { date = timestamp.slice(0, 8), service = "s3", terminator = "aws4_request" } = scope ?? {};
  return [date, region, service, terminator].join("/");
}

function sign(signer: Signer, text: string): string {
  return createHmac("sha256", signingKeyOf(signer)).update(text).digest("hex");
}

function signable(signer: Signer, canonical: string): string {
  const hash = createHash("sha256").update(canonical, "latin1").digest("hex");
  return ["AWS4-HMAC-SHA256", signer.timestamp, scopeOf(signer), hash].join("\n");
}

function canonicalOf({ method, path, query, headers, payload }: Signable, names: readonly string[]): string {
  const pairs = (query ?? "")
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", ...rest] = pair.split("=");
      return [normal(name), normal(rest.join("="))].join("=");
    });
  // '=' sorts behind '%', '-' and the digits, so names are compared by themselves.
  pairs.sort((a, b) => compare(a.replace("=", "\0"), b.replace("=", "\0")));
  const lines = names.map((name) => `${name}:${(headers[name] ?? "").trim().replace(/ {2,}/g, " ")}\n`);
  return [
    method,
    path.split("/").map(normal).join("/"),
    pairs.join("&"),
    lines.join(""),
    names.join(";"),
    payload,
  ].join("\n");
}

/** Byte by byte: unreserved characters as they are, all others as %XX. */
export function percent(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    out += /[A-Za-z0-9._~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

function normal(encoded: string): string {
  return percent(decodeURIComponent(encoded));
}

function targetOf(path: string, query: string | undefined): string {
  return query === undefined || query === "" ? path : `${path}?${query}`;
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
