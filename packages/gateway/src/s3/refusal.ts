import { asStorageError, type ErrorKind } from "@cairn/protocol";
import { S3Error, type S3ErrorCode } from "./s3-error.ts";

const codes: Readonly<Record<ErrorKind, S3ErrorCode>> = {
  "not-found": "NoSuchKey",
  conflict: "OperationAborted",
  "precondition-failed": "PreconditionFailed",
  invalid: "InvalidArgument",
  "too-large": "EntityTooLarge",
  range: "InvalidRange",
  unauthenticated: "AccessDenied",
  forbidden: "AccessDenied",
  overloaded: "SlowDown",
  unavailable: "ServiceUnavailable",
  "no-space": "ServiceUnavailable",
  stale: "ServiceUnavailable",
  "chunk-gone": "ServiceUnavailable",
  cancelled: "RequestTimeout",
  corrupt: "InternalError",
  lost: "InternalError",
  internal: "InternalError",
};

/** Any failure as S3 says it. What is no business of the client's is not told. */
export function refusalOf(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  const known = asStorageError(error, "serve request");
  const code = codes[known.kind];
  const silent = code === "InternalError" || code === "AccessDenied" || code === "NoSuchKey";
  return new S3Error(
    code,
    silent ? undefined : [known.message, known.hint].filter(Boolean).join(" "),
    {},
    { cause: known },
  );
}
