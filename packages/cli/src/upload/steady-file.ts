import { stat } from "node:fs/promises";
import type { UploadSource } from "@cairn/client";
import { localFailure } from "../failure.ts";
import type { LocalFile } from "./local-tree.ts";

/** Opens a file from a byte on; the SDK's `fileSource(path).open`. */
export type OpenFile = (offset: number) => AsyncIterable<Uint8Array>;

/**
 * The file as a source that fails, before its last bytes are handed over, when the file has changed since it was found.
 * So no mixture of two contents is ever committed.
 */
export function steadyFile(file: LocalFile, open: OpenFile): UploadSource & { readonly size: number } {
  return { size: file.size, open: (offset) => readSteadily(file, open, offset) };
}

async function* readSteadily(file: LocalFile, open: OpenFile, offset: number): AsyncGenerator<Uint8Array> {
  await checkUnchanged(file);
  let position = offset;
  for await (const bytes of open(offset)) {
    position += bytes.length;
    if (position > file.size) throw changed(file);
    if (position === file.size) await checkUnchanged(file);
    yield bytes;
  }
  if (position < file.size) throw changed(file);
}

async function checkUnchanged(file: LocalFile): Promise<void> {
  const now = await stat(file.path);
  if (now.size !== file.size || Math.trunc(now.mtimeMs) !== file.modifiedAt) throw changed(file);
}

function changed(file: LocalFile): Error {
  return localFailure(
    `${file.path} changed while it was read; nothing of it was stored`,
    "run the same command again when nobody writes to it",
  );
}
