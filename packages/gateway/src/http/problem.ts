import { asStorageError, type ErrorKind, type StorageError } from "@cairn/protocol";
import { RequestRefusal } from "./request-refusal.ts";

/** An error of the REST API, application/problem+json (RFC 9457) with our members beside the standard ones. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Stable; programs branch on it. */
  readonly code: string;
  readonly detail: string;
  readonly instance: string;
  readonly request_id: string;
  readonly retryable: boolean;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Which members of the request are wrong, and why. */
  readonly errors?: readonly { readonly pointer: string; readonly why: string }[];
}

/** The same as JSON Schema, for the description of the API. */
export const problemSchema: object = {
  type: "object",
  required: ["type", "title", "status", "code", "detail", "instance", "request_id", "retryable"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string", description: "Stable; programs branch on it" },
    detail: { type: "string" },
    instance: { type: "string" },
    request_id: { type: "string" },
    retryable: { type: "boolean" },
    hint: { type: "string", description: "What to do next" },
    details: { type: "object" },
    errors: {
      type: "array",
      items: { type: "object", properties: { pointer: { type: "string" }, why: { type: "string" } } },
    },
  },
};

interface ProblemClass {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly retryable?: boolean;
}

/** How each kind of error looks in REST (docs/api/rest.md). */
export function classOf(kind: ErrorKind): ProblemClass {
  switch (kind) {
    case "invalid":
      return { status: 400, code: "invalid_request", title: "The request cannot be understood" };
    case "unauthenticated":
      return { status: 401, code: "unauthenticated", title: "A valid access token is needed" };
    case "forbidden":
      return { status: 403, code: "forbidden", title: "The access token does not allow this" };
    case "not-found":
      return { status: 404, code: "not_found", title: "There is nothing here" };
    case "conflict":
      return { status: 409, code: "conflict", title: "Something with this name or state is in the way" };
    case "chunk-gone":
      return { status: 409, code: "chunk_gone", title: "A chunk must be sent again" };
    case "stale":
      return { status: 409, code: "stale", title: "The lease or epoch was overtaken" };
    case "precondition-failed":
      return { status: 412, code: "precondition_failed", title: "The named condition does not hold" };
    case "too-large":
      return { status: 413, code: "too_large", title: "The request is over a limit" };
    case "range":
      return { status: 416, code: "range_not_satisfiable", title: "The range lies outside of the file" };
    case "corrupt":
      return { status: 500, code: "corrupt", title: "Stored bytes do not match their checksum" };
    case "lost":
      return { status: 500, code: "lost", title: "No good copy of the data is left" };
    case "internal":
      return { status: 500, code: "internal", title: "The server failed" };
    case "unavailable":
      return { status: 503, code: "unavailable", title: "A part that is needed cannot serve now", retryable: true };
    case "overloaded":
      return { status: 503, code: "overloaded", title: "The server is busy", retryable: true };
    case "cancelled":
      return { status: 503, code: "cancelled", title: "The request was stopped", retryable: true };
    case "no-space":
      return { status: 507, code: "no_space", title: "There is no space left" };
  }
}

/** The problem document of an error. What an internal failure was about stays in the log: its words may hold paths and statements. */
export function problemOf(error: unknown, requestId: string): Problem {
  const known = asStorageError(error, "serve request");
  const { status, code, title, retryable = false } = refinedClassOf(known);
  const internal = known.kind === "internal";
  const { errors, ...details } = known.details as { errors?: Problem["errors"] } & StorageError["details"];
  return {
    type: `https://cairn.invalid/errors/${code}`,
    title,
    status,
    code,
    detail: internal ? `${known.operation} failed` : `${known.operation}: ${known.subject}`,
    instance: `/api/v1/requests/${requestId}`,
    request_id: requestId,
    retryable,
    ...(known.hint === undefined || internal ? {} : { hint: known.hint }),
    ...(Object.keys(details).length === 0 || internal ? {} : { details }),
    ...(errors === undefined || internal ? {} : { errors }),
  };
}

/** Conflicts that a client can settle by itself have codes of their own. */
function refinedClassOf(error: StorageError): ProblemClass {
  if (error instanceof RequestRefusal) return error;
  const found = classOf(error.kind);
  if (error.kind !== "conflict") return found;
  if ("existing" in error.details)
    return { ...found, code: "name_conflict", title: "An item with this name already exists" };
  if ("candidates" in error.details)
    return { ...found, code: "ambiguous_id", title: "More than one id begins like this" };
  return found;
}
