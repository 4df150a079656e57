import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { S3Error } from "../s3-error.ts";
import type { S3Request } from "../s3-request.ts";
import { algorithm, type CredentialScope, type Credentials } from "./credentials.ts";

const keysMax = 1024;

/** Keys of a day and a region, made once: they cost four HMACs. */
export class SigningKeys {
  readonly #keys = new Map<string, Buffer>();

  /** HMAC chain of the secret (Signature Version 4, "Derive a signing key"). */
  of(secret: string, { date, region }: CredentialScope): Buffer {
    const name = `${date}/${region}/${secret}`;
    const known = this.#keys.get(name);
    if (known) return known;
    const key = [date, region, "s3", "aws4_request"].reduce<Buffer>(
      (key, part) => hmac(key, part),
      Buffer.from(`AWS4${secret}`),
    );
    const oldest = this.#keys.keys().next().value;
    if (this.#keys.size >= keysMax && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.set(name, key);
    return key;
  }
}

/** The canonical request: what of a request is signed. `payload` as x-amz-content-sha256 says it. */
export function canonicalRequest(request: S3Request, credentials: Credentials, payload: string): string {
  const { target, path, method, headers } = request;
  const cut = target.indexOf("?");
  const query = cut < 0 ? "" : canonicalQuery(target.slice(cut + 1));
  let lines = "";
  for (const name of credentials.signedHeaders) {
    lines += `${name}:${(headers[name] ?? "").trim().replaceAll(/ +/g, " ")}\n`;
  }
  return `${method}\n${canonicalPath(path)}\n${query}\n${lines}\n${credentials.signedHeaders.join(";")}\n${payload}`;
}

/** What the signing key signs. */
export function stringToSign(canonical: string, { timestamp, scope }: Credentials): string {
  return `${algorithm}\n${timestamp}\n${scopeText(scope)}\n${sha256(canonical)}`;
}

export function scopeText({ date, region }: CredentialScope): string {
  return `${date}/${region}/s3/aws4_request`;
}

/** Throws SignatureDoesNotMatch, with what was signed here, so that whoever writes a client can see the difference. */
export function checkSignature(request: S3Request, credentials: Credentials, key: Buffer, payload: string): void {
  const canonical = canonicalRequest(request, credentials, payload);
  const text = stringToSign(canonical, credentials);
  if (sameSignature(hmac(key, text).toString("hex"), credentials.signature)) return;
  throw new S3Error("SignatureDoesNotMatch", undefined, {
    AWSAccessKeyId: credentials.accessKeyId,
    StringToSign: text,
    SignatureProvided: credentials.signature,
    CanonicalRequest: canonical,
  });
}

/** In constant time. */
export function sameSignature(one: string, other: string): boolean {
  const [bytes, others] = [Buffer.from(one), Buffer.from(other)];
  return bytes.length === others.length && timingSafeEqual(bytes, others);
}

export function hmac(key: Uint8Array | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** In hex. `text` holds bytes as Latin-1, the way headers come: clients sign the bytes that they send. */
export function sha256(text: string): string {
  return hash("sha256", Buffer.from(text, "latin1"), "hex");
}

/** Each part encoded once, whatever way the client spelled it: S3 neither resolves dots nor encodes twice. */
function canonicalPath(path: string): string {
  return path.split("/").map(recoded).join("/");
}

function canonicalQuery(text: string): string {
  const pairs = text
    // A plus is read as a space, so it is signed as one: what is signed and what is read never differ.
    .replaceAll("+", "%20")
    .split("&")
    .filter((pair) => pair !== "" && !pair.startsWith("X-Amz-Signature="))
    .map((pair): readonly [string, string] => {
      const cut = pair.indexOf("=");
      return cut < 0 ? [recoded(pair), ""] : [recoded(pair.slice(0, cut)), recoded(pair.slice(cut + 1))];
    });
  pairs.sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : x > y ? 1 : 0) : a < b ? -1 : 1));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

/** Percent-encoded as RFC 3986 says, in capitals. */
function recoded(part: string): string {
  if (/^[\w.~-]*$/.test(part)) return part;
  return encodeURIComponent(decodeURIComponent(part)).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
