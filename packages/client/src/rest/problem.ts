import type { IncomingReply } from "@cairn/env";
import { type ErrorKind, errorKinds, fromUtf8, StorageError } from "@cairn/protocol";

/** What the codes of problem+json answers mean where they are not spelled like the kind. */
const kindOfCode: Readonly<Record<string, ErrorKind>> = {
  invalid_request: "invalid",
  unprocessable: "invalid",
  idempotency_mismatch: "conflict",
  idempotency_in_flight: "overloaded",
  checksum_mismatch: "corrupt",
  name_conflict: "conflict",
  ambiguous_id: "conflict",
  cursor_expired: "invalid",
  share_expired: "not-found",
  precondition_required: "precondition-failed",
  range_not_satisfiable: "range",
  locked: "conflict",
  rate_limited: "overloaded",
  chunks_unavailable: "unavailable",
  no_quorum: "unavailable",
  read_only: "unavailable",
  quota_exceeded: "no-space",
};

const kindOfStatus: Readonly<Record<number, ErrorKind>> = {
  400: "invalid",
  401: "unauthenticated",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  410: "lost",
  412: "precondition-failed",
  413: "too-large",
  416: "range",
  422: "invalid",
  423: "conflict",
  429: "overloaded",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
  507: "no-space",
};

interface Problem {
  readonly code?: unknown;
  readonly title?: unknown;
  readonly detail?: unknown;
  readonly hint?: unknown;
  readonly request_id?: unknown;
  readonly details?: unknown;
}

/** The error behind an answer of 4xx or 5xx. The request's id is kept in the details, for the server's log. */
export function errorOfProblem(reply: IncomingReply, operation: string): StorageError {
  const problem = problemOf(reply);
  const requestId = textOf(problem.request_id) ?? reply.headers["x-request-id"];
  const details = typeof problem.details === "object" && problem.details !== null ? problem.details : {};
  const hint = textOf(problem.hint);
  const subject = textOf(problem.detail) ?? textOf(problem.title) ?? `the server answered ${reply.status}`;
  return new StorageError(kindOf(reply.status, textOf(problem.code)), operation, subject, {
    details: { ...details, ...(requestId === undefined ? {} : { request_id: requestId }) },
    ...(hint === undefined ? {} : { hint }),
  });
}

function kindOf(status: number, code: string | undefined): ErrorKind {
  const spelled = code?.replaceAll("_", "-");
  const known = errorKinds.find((kind) => kind === spelled);
  return known ?? (code === undefined ? undefined : kindOfCode[code]) ?? kindOfStatus[status] ?? "internal";
}

/** An answer that is no problem document comes from a proxy: the status has to do. */
function problemOf(reply: IncomingReply): Problem {
  try {
    const parsed: unknown = JSON.parse(fromUtf8(reply.body));
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
