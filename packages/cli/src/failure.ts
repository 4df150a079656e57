import { type ErrorKind, StorageError } from "@cairn/protocol";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";

/** A failure in the words of this program: what went wrong, what to try, and how the process ends. */
export class Failure extends Error {
  override readonly name: string = "Failure";
  readonly exitCode: number;
  /** Stable name for programs, such as `E_NOT_FOUND`. */
  readonly code: string;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;

  constructor(code: string, message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode;
    this.hint = options.hint;
    this.requestId = options.requestId;
  }
}

export interface FailureOptions {
  readonly exitCode: number;
  readonly hint?: string | undefined;
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** What the last line of stderr holds with --json. */
export interface FailureDocument {
  readonly type: "error";
  readonly code: string;
  readonly exit_code: number;
  readonly message: string;
  readonly hint?: string;
  readonly request_id?: string;
}

/** The command line itself is wrong; exit code 2. */
export function usageFailure(message: string, hint?: string): Failure {
  return new Failure("E_USAGE", message, { exitCode: exitCodes.usage, hint });
}

/** Something on this machine stands in the way; exit code 1. */
export function localFailure(message: string, hint?: string, cause?: unknown): Failure {
  return new Failure("E_LOCAL", message, { exitCode: exitCodes.failure, hint, cause });
}

/** Anything thrown as a Failure; one that is a Failure already stays as it is. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof StorageError) return failureOfStorageError(error);
  if (isSystemError(error)) return failureOfSystemError(error);
  const message = error instanceof Error ? error.message : String(error);
  return new Failure("E_INTERNAL", message, { exitCode: exitCodes.failure, hint: defaultHints.internal, cause: error });
}

export function failureDocument(failure: Failure): FailureDocument {
  return {
    type: "error",
    code: failure.code,
    exit_code: failure.exitCode,
    message: failure.message,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.requestId === undefined ? {} : { request_id: failure.requestId }),
  };
}

function failureOfStorageError(error: StorageError): Failure {
  const requestId = error.details["requestId"] ?? error.details["request_id"];
  return new Failure(codeOf(error.kind), messageOf(error), {
    exitCode: exitCodeOf(error.kind),
    hint: candidatesOf(error) ?? hintOf(error),
    requestId: typeof requestId === "string" ? requestId : undefined,
    cause: error,
  });
}

function codeOf(kind: ErrorKind): string {
  return kind === "unavailable" ? "E_UNREACHABLE" : `E_${kind.toUpperCase().replaceAll("-", "_")}`;
}

function messageOf(error: StorageError): string {
  const subject = plainSubject(error.subject);
  if (error.operation === "reach server") return `can't reach ${subject}`;
  const phrase = phrases[error.kind];
  // A subject is the name of a thing, which needs the phrase, or a sentence that says what is wrong already.
  const isName = !/\s/.test(subject) || (subject.startsWith("/") && error.kind === "not-found");
  return `cannot ${error.operation}: ${subject}${isName && phrase !== undefined ? `: ${phrase}` : ""}`;
}

/** Servers put what they were doing before the subject, and systems their codes into it; people need neither. */
function plainSubject(subject: string): string {
  return subject
    .replace(/^[a-z][a-z ]{2,40}: /, "")
    .replace(/\b(ECONNREFUSED|ENOTFOUND|ECONNRESET|ETIMEDOUT)\b/g, (code) => {
      return connectionReasons[code] ?? code;
    });
}

const connectionReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  ECONNRESET: "connection reset",
  ETIMEDOUT: "timed out",
};

/** REST calls its parameter otherwise than this program its option. */
function hintOf({ hint, kind }: StorageError): string | undefined {
  if (hint === undefined) return defaultHints[kind];
  return /onConflict/.test(hint)
    ? "choose another name, or say what to do with the one that is there (--on-conflict)"
    : hint;
}

function candidatesOf(error: StorageError): string | undefined {
  const candidates = error.details["candidates"];
  if (!Array.isArray(candidates) || candidates.length === 0) return undefined;
  const names = candidates.slice(0, 10).map((it) => (typeof it === "object" && it !== null ? describeEntry(it) : it));
  return `it fits several; use more letters: ${names.join(", ")}${candidates.length > 10 ? ", …" : ""}`;
}

function describeEntry(entry: { id?: unknown; path?: unknown }): string {
  return [entry.id, entry.path].filter((part) => typeof part === "string").join(" ");
}

const phrases: Partial<Record<ErrorKind, string>> = {
  "not-found": "not found",
  conflict: "exists already or changed meanwhile",
  "precondition-failed": "the condition does not hold",
  "too-large": "too large",
  range: "outside of the file",
  corrupt: "the bytes are damaged",
  unavailable: "not reachable now",
  overloaded: "too busy now",
  "no-space": "no space left",
  lost: "no good copy is left",
  forbidden: "not allowed",
  unauthenticated: "the access token is missing or not valid",
};

const defaultHints: Partial<Record<ErrorKind, string>> = {
  unavailable: "is the cluster running? Start a local one with `cairn start`, or name another with --url",
  unauthenticated: "give a token with --token-file or CAIRN_TOKEN; make one with `cairn token create`",
  forbidden: "use a token with more rights: `cairn token create --scope admin`",
  "not-found": "see what is there with `cairn list`",
  "no-space": "free space with `cairn trash empty`, or add a node with `cairn node add`",
  overloaded: "try again in a moment",
  stale: "run the same command again",
  "chunk-gone": "run the same command again",
  corrupt: "see which copies are damaged with `cairn verify <id>`",
  lost: "see what is missing with `cairn file map <id>`",
  cancelled: "resume with the same command",
  internal: "run again with --debug for details",
};

interface SystemError extends Error {
  readonly code: string;
  readonly path?: string;
  readonly dest?: string;
}

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && /^E[A-Z0-9]+$/.test(String((error as { code?: unknown }).code));
}

function failureOfSystemError(error: SystemError): Failure {
  const subject = error.dest ?? error.path ?? error.message;
  const [reason, hint] = systemReasons[error.code] ?? [error.message, undefined];
  const exitCode = error.code === "ENOENT" ? exitCodes.notFound : exitCodes.failure;
  return new Failure(`E_${error.code}`, `${subject}: ${reason}`, { exitCode, hint, cause: error });
}

const systemReasons: Readonly<Record<string, readonly [reason: string, hint: string | undefined]>> = {
  ENOENT: ["no such file or folder on this machine", "check the path"],
  EACCES: ["no permission", "check who may read and write there"],
  EPERM: ["not permitted", "check who may read and write there"],
  EROFS: ["the file system is read-only", "choose another place"],
  ENOSPC: ["this machine's disk is full", "free some space and run the same command again"],
  EDQUOT: ["your quota on this machine is used up", "free some space and run the same command again"],
  EISDIR: ["is a folder", undefined],
  ENOTDIR: ["a part of the path is not a folder", "check the path"],
  ENAMETOOLONG: ["the name is too long for this machine's file system", "choose another --output"],
};
