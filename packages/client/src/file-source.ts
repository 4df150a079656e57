import { open, stat } from "node:fs/promises";
import { StorageError } from "@cairn/protocol";
import type { UploadSource } from "./options.ts";

const bufferBytes = 1_048_576;

/** A file on this machine as the source of an upload that can mend itself and resume. Throws not-found, forbidden, invalid (not a file). */
export async function fileSource(
  path: string,
): Promise<UploadSource & { readonly size: number; readonly modifiedAt: number }> {
  const found = await stat(path).catch((error: unknown) => {
    throw asStorageError(error, path);
  });
  if (!found.isFile()) throw new StorageError("invalid", "open file", `${path} is not a file`);
  return { size: found.size, modifiedAt: Math.trunc(found.mtimeMs), open: (offset) => readFrom(path, offset) };
}

async function* readFrom(path: string, offset: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw asStorageError(error, path);
  });
  try {
    for (let position = offset; ; ) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(bufferBytes), 0, bufferBytes, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function asStorageError(error: unknown, path: string): StorageError {
  const code = (error as { code?: unknown }).code;
  const kind =
    code === "ENOENT" || code === "ENOTDIR"
      ? "not-found"
      : code === "EACCES" || code === "EPERM"
        ? "forbidden"
        : "internal";
  return new StorageError(kind, "open file", path, { cause: error });
}
