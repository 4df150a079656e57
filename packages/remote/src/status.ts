import type { ErrorKind } from "@cairn/protocol";

/** The HTTP status of each kind of error, between the parts of a cluster. */
export function statusOfKind(kind: ErrorKind): number {
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
    case "chunk-gone":
    case "stale":
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
