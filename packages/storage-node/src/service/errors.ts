import type { HttpReply } from "@cairn/env";
import { StorageError, statusOfKind, toWireError, utf8 } from "@cairn/protocol";

/** A failure as it may be told to others: what was not foreseen is named by the request only. */
export function tellable(error: unknown, requestId: string): StorageError {
  if (error instanceof StorageError) return error;
  return new StorageError("internal", "serve request", requestId, {
    hint: "The node's log tells more under this request id.",
    cause: error,
  });
}

/** Any failure as an answer; nobody sees a stack. */
export function errorReply(error: StorageError, requestId: string): HttpReply {
  const status = statusOfKind(error.kind, error.details);
  return {
    status,
    headers: {
      "content-type": "application/json",
      "x-request-id": requestId,
      "x-cairn-error": error.kind,
      ...(status === 503 ? { "retry-after": "1" } : {}),
    },
    body: [utf8(JSON.stringify({ error: toWireError(error), requestId }))],
  };
}
