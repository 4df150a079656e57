/** Which way bytes go: `to-server` are requests, `to-client` answers. */
export type Direction = "to-server" | "to-client";

/** What the proxy does to the connections that go through it. */
export type FaultMode =
  | { readonly kind: "pass" }
  /** Each piece waits so long, in order. */
  | { readonly kind: "latency"; readonly ms: number; readonly jitterMs?: number }
  /** Connections are accepted and nothing ever comes through, neither way. */
  | { readonly kind: "blackhole" }
  /** Bytes of one direction vanish, those of the other go through. */
  | { readonly kind: "one-way"; readonly drop: Direction }
  /** New connections are reset at once, and those that stand too. */
  | { readonly kind: "refuse" }
  /** After so many bytes of one direction the connection is reset; `times` connections, or all. */
  | { readonly kind: "reset-after"; readonly bytes: number; readonly direction: Direction; readonly times?: number }
  /** The same, but with a clean end: what was cut looks finished. */
  | { readonly kind: "truncate-after"; readonly bytes: number; readonly direction: Direction; readonly times?: number }
  | { readonly kind: "throttle"; readonly bytesPerSecond: number }
  /** One bit of byte number `at` of one direction of a connection. */
  | { readonly kind: "flip-byte"; readonly at: number; readonly direction: Direction; readonly times?: number }
  /** The request that begins with a line that matches is sent a second time; the second answer goes nowhere. */
  | { readonly kind: "duplicate-request"; readonly matching: RegExp; readonly times?: number }
  /** The request that matches gets through; its answer is lost and the connection reset. */
  | { readonly kind: "drop-response"; readonly matching: RegExp; readonly times?: number };

const requestLine = /^(GET|HEAD|PUT|POST|PATCH|DELETE|OPTIONS) (\S+) HTTP\/1\.[01]\r\n/;

/** The first line of a request that begins with these bytes, such as `PUT /chunks/x`; undefined for anything else. */
export function requestOf(bytes: Uint8Array): string | undefined {
  const [, method, path] = requestLine.exec(Buffer.from(bytes.subarray(0, 4096)).toString("latin1")) ?? [];
  return method === undefined ? undefined : `${method} ${path}`;
}
