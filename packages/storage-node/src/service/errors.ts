import type { HttpReply } from "@cairn/env";
import { asStorageError, type ErrorKind, toWireError, utf8 } from "@cairn/protocol";

/** The status of each kind of error in the chunk API (docs/api/chunk.md). */
export function statusOf(kind: ErrorKind): number {
  switch (kind) {
    case "invalid":
      return 422;
    case "unauthenticated":
      return 401;
    case "forbidden":
      return 403;
    case "not-found":
      return 404;
    case "conflict":
    case "stale":
    case "chunk-gone":
      return 409;
    case "corrupt":
    case "lost":
      return 410;
    case "precondition-failed":
      return 412;
    case "too-large":
      return 413;
    case "range":
      return 416;
    case "internal":
      return 500;
    case "unavailable":
    case "overloaded":
    case "cancelled":
      return 503;
    case "no-space":
      return 507;
  }
}

/** Any failure as an answer; nobody sees a stack. */
export function errorReply(error: unknown, requestId: string): HttpReply {
  const known = asStorageError(error, "serve request");
  return {
    status: statusOf(known.kind),
    headers: {
      "content-type": "application/json",
      "x-request-id": requestId,
      ...(known.kind === "overloaded" || known.kind === "unavailable" ? { "retry-after": "1" } : {}),
    },
    body: [utf8(JSON.stringify({ error: toWireError(known), requestId }))],
  };
}
