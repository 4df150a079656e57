import type { IncomingMessage } from "node:http";
import { limits } from "@cairn/protocol";
import { S3Error } from "./s3-error.ts";

/** What a request names: nothing (the account), a bucket, or an object in it. */
export interface S3Place {
  readonly bucket: string | undefined;
  /** The key as it is stored: decoded once, nothing else. */
  readonly key: string | undefined;
}

/** A request, read as far as the S3 API needs it before anybody has looked at who sent it. */
export interface S3Request extends S3Place {
  readonly id: string;
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** The path as it came, for error documents. */
  readonly path: string;
  /** Decoded; the last of several of one name counts. */
  readonly query: ReadonlyMap<string, string>;
  /** Names in lower case, several of one name joined by ','. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly raw: IncomingMessage;
}

const queryParametersMax = 200;

/** Throws InvalidURI, InvalidRequest (Host), KeyTooLongError. `domains`: hosts below which the first name is a bucket. */
export function readRequest(raw: IncomingMessage, id: string, domains: readonly string[]): S3Request {
  const target = raw.url ?? "/";
  if (!target.startsWith("/")) throw new S3Error("InvalidURI", "The request must name a path.");
  const cut = target.indexOf("?");
  const path = cut < 0 ? target : target.slice(0, cut);
  const headers = joinedHeaders(raw.rawHeaders);
  const hosts = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host").length;
  if (hosts !== 1) throw new S3Error("InvalidRequest", "A request has one Host header.");
  const query = cut < 0 ? new Map<string, string>() : readQuery(target.slice(cut + 1));
  const place = placeOf(path, bucketOfHost(headers["host"] ?? "", domains));
  return { id, method: raw.method ?? "GET", target, path, query, headers, raw, ...place };
}

function placeOf(path: string, hostBucket: string | undefined): S3Place {
  const decoded = decode(path.slice(1));
  if (hostBucket !== undefined) return { bucket: hostBucket, key: keyOf(decoded) };
  const cut = decoded.indexOf("/");
  if (cut < 0) return { bucket: decoded === "" ? undefined : decoded, key: undefined };
  if (cut === 0) throw new S3Error("InvalidURI", "The path names no bucket.");
  return { bucket: decoded.slice(0, cut), key: keyOf(decoded.slice(cut + 1)) };
}

function keyOf(text: string): string | undefined {
  return text === "" ? undefined : checkedKey(text);
}

/** The key if there can be one. Throws KeyTooLongError, InvalidURI. */
export function checkedKey(text: string): string {
  if (Buffer.byteLength(text) > limits.keyBytesMax) throw new S3Error("KeyTooLongError");
  if (text.includes("\0")) throw new S3Error("InvalidURI", "A key has no NUL character in it.");
  return text;
}

/** True for the host of one of the domains, or of a bucket below one. */
export function isBelow(host: string | undefined, domains: readonly string[]): boolean {
  const name = nameOfHost(host ?? "");
  return domains.some((domain) => name === domain || name.endsWith(`.${domain}`));
}

/** Without the port and the root's dot. */
function nameOfHost(host: string): string {
  return host.replace(/:\d+$/, "").replace(/\.$/, "").toLowerCase();
}

/** `photos` for `photos.s3.example.org:7071` where `s3.example.org` is a domain. */
function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  const name = nameOfHost(host);
  if (domains.includes(name)) return undefined;
  for (const domain of domains) {
    if (name.endsWith(`.${domain}`)) return name.slice(0, -domain.length - 1);
  }
  return undefined;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI", "The path is not percent-encoded UTF-8.");
  }
}

function readQuery(text: string): ReadonlyMap<string, string> {
  const pairs = text
    .replaceAll("+", "%20")
    .split("&")
    .filter((pair) => pair !== "");
  if (pairs.length > queryParametersMax) throw new S3Error("InvalidRequest", "There are too many query parameters.");
  return new Map(
    pairs.map((pair): [string, string] => {
      const cut = pair.indexOf("=");
      const value = cut < 0 ? "" : pair.slice(cut + 1);
      return [decode(cut < 0 ? pair : pair.slice(0, cut)), decode(value)];
    }),
  );
}

/** Values are taken as Latin-1, as node:http gives them. */
function joinedHeaders(raw: readonly string[]): Record<string, string> {
  const joined: Record<string, string> = Object.create(null);
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    const value = raw[index + 1] ?? "";
    joined[name] = joined[name] === undefined ? value : `${joined[name]},${value}`;
  }
  return joined;
}
