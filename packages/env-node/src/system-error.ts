import { type ErrorKind, StorageError } from "@cairn/protocol";

const kindOfCode: Readonly<Record<string, ErrorKind>> = {
  ENOENT: "not-found",
  ENOTDIR: "not-found",
  EEXIST: "conflict",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EFBIG: "no-space",
  EMFILE: "overloaded",
  ENFILE: "overloaded",
};

/** A failure of the operating system as a StorageError; `details.code` keeps its name, such as EIO. */
export function fromSystemError(error: unknown, operation: string, subject: string): StorageError {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  return new StorageError(kindOfCode[code] ?? "internal", operation, subject, { cause: error, details: { code } });
}

/** The name of the operating system's or library's error, or an empty text. */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return String(error.code);
}
