/**
 * What a caller can do about a failure. Appended only: kinds travel over the wire.
 *
 * | kind | meaning | retry |
 * |---|---|---|
 * | invalid | the request can never succeed as it stands | no |
 * | unauthenticated | no valid credential came with it | no |
 * | forbidden | the credential does not allow this | no |
 * | not-found | the thing does not exist (and that is known, not guessed) | no |
 * | conflict | the thing exists already, or changed meanwhile | no |
 * | precondition-failed | a condition the caller named does not hold | no |
 * | too-large | a body, a name or a batch is over its limit | no |
 * | range | the range lies outside of the bytes | no |
 * | corrupt | bytes do not match their checksum | another copy |
 * | unavailable | the part that is needed cannot be reached or cannot serve now | yes |
 * | overloaded | the part serves, but its queues are full | yes, later |
 * | no-space | disks are full or a quota is used up | after freeing |
 * | chunk-gone | a chunk that was to be shared was collected meanwhile | upload it again |
 * | stale | an epoch, lease or incarnation was overtaken | with a fresh one |
 * | lost | no good copy of the data is left anywhere | no |
 * | cancelled | the caller asked to stop | – |
 * | internal | a bug or an unforeseen failure of the machine | perhaps |
 */
export const errorKinds = [
  "invalid",
  "unauthenticated",
  "forbidden",
  "not-found",
  "conflict",
  "precondition-failed",
  "too-large",
  "range",
  "corrupt",
  "unavailable",
  "overloaded",
  "no-space",
  "chunk-gone",
  "stale",
  "lost",
  "cancelled",
  "internal",
] as const;
export type ErrorKind = (typeof errorKinds)[number];

export interface ErrorOptions {
  /** What the operator or user can do next, one sentence. */
  readonly hint?: string;
  /** Facts a program can use; must survive JSON. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A failure that the caller can act on. Callers look at `kind` and nothing else. */
export class StorageError extends Error {
  override readonly name: string = "StorageError";
  readonly kind: ErrorKind;
  /** What was being done, such as `read chunk`. */
  readonly operation: string;
  /** What it was done to: an id, a path, an address, or a short sentence. */
  readonly subject: string;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(kind: ErrorKind, operation: string, subject: string, options: ErrorOptions = {}) {
    const because = options.cause instanceof Error ? `: ${options.cause.message}` : "";
    super(`${operation}: ${kind}: ${subject}${because}`, options.cause === undefined ? {} : { cause: options.cause });
    this.kind = kind;
    this.operation = operation;
    this.subject = subject;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** A StorageError as it travels between processes. Causes and stacks stay at home. */
export interface WireError {
  readonly kind: ErrorKind;
  readonly operation: string;
  readonly subject: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export function toWireError(error: unknown): WireError {
  const known = asStorageError(error, "serve request");
  return {
    kind: known.kind,
    operation: known.operation,
    subject: known.subject,
    ...(known.hint === undefined ? {} : { hint: known.hint }),
    ...(Object.keys(known.details).length === 0 ? {} : { details: known.details }),
  };
}

/** Reads a WireError of an untrusted peer; anything else becomes an internal error. */
export function fromWireError(wire: unknown, operation: string): StorageError {
  const candidate = (typeof wire === "object" && wire !== null ? wire : {}) as Partial<WireError>;
  const kind = errorKinds.find((known) => known === candidate.kind);
  if (!kind) return new StorageError("internal", operation, "the peer answered with an error nobody knows");
  return new StorageError(kind, String(candidate.operation ?? operation), String(candidate.subject ?? ""), {
    ...(typeof candidate.hint === "string" ? { hint: candidate.hint } : {}),
    ...(typeof candidate.details === "object" && candidate.details !== null ? { details: candidate.details } : {}),
  });
}

/** The error itself if it is a StorageError, else an internal one around it. */
export function asStorageError(error: unknown, operation: string): StorageError {
  if (error instanceof StorageError) return error;
  return new StorageError("internal", operation, error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** True when the failure is a StorageError of one of these kinds. */
export function isKind(error: unknown, ...kinds: readonly ErrorKind[]): error is StorageError {
  return error instanceof StorageError && kinds.includes(error.kind);
}
