import type { ErrorKind } from "./errors.ts";

/**
 * The HTTP status of a failure between the parts of a cluster. Bytes that do not have their hash (details.mismatch) may
 * be sent again and answer 422; a request that can never succeed answers 400.
 */
export function statusOfKind(kind: ErrorKind, details: Readonly<Record<string, unknown>> = {}): number {
  switch (kind) {
    case "invalid":
      return details["mismatch"] === true ? 422 : 400;
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
