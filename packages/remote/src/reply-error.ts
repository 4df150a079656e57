import type { IncomingReply } from "@cairn/env";
import { type ErrorKind, errorKinds, fromUtf8, fromWireError, StorageError } from "@cairn/protocol";

const kindOfStatus: Readonly<Record<number, ErrorKind>> = {
  400: "invalid",
  401: "unauthenticated",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  410: "corrupt",
  412: "precondition-failed",
  413: "too-large",
  416: "range",
  422: "invalid",
  429: "overloaded",
  502: "unavailable",
  503: "overloaded",
  504: "unavailable",
  507: "no-space",
};

/** The error behind an answer of 4xx or 5xx: the peer's own words if it sent them, else what the status says. */
export function errorOfReply(reply: IncomingReply, operation: string): StorageError {
  try {
    const { error } = JSON.parse(fromUtf8(reply.body)) as { error?: unknown };
    if (error) return fromWireError(error, operation);
  } catch {
    // Not JSON: a proxy or an overloaded server answered in place of the service.
  }
  // An answer to HEAD has no body; a node names the kind in a header.
  const named = errorKinds.find((kind) => kind === reply.headers["x-cairn-error"]);
  return new StorageError(
    named ?? kindOfStatus[reply.status] ?? "internal",
    operation,
    `the peer answered ${reply.status}`,
  );
}

/** The JSON of a good answer. Throws what the peer said otherwise, and internal for an answer that makes no sense. */
export function jsonOfReply<Value>(reply: IncomingReply, operation: string): Value {
  if (reply.status >= 400) throw errorOfReply(reply, operation);
  try {
    return JSON.parse(fromUtf8(reply.body)) as Value;
  } catch (cause) {
    throw new StorageError("internal", operation, "the peer's answer is not JSON", { cause });
  }
}
