import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { ChunkPlacement } from "@cairn/protocol";

/**
 * How many bytes at the beginning of a file on this machine are those of the given chunks, counted in whole chunks. Reads
 * until the first chunk that differs or is not all there. Chunks are named by the SHA-256 of their bytes, so this proves it.
 */
export async function matchingBytes(
  path: string,
  chunks: AsyncIterable<Pick<ChunkPlacement, "id" | "offset" | "length">>,
  signal: AbortSignal,
): Promise<number> {
  const file = await open(path, "r");
  try {
    let matching = 0;
    let buffer = new Uint8Array(0);
    for await (const { id, offset, length } of chunks) {
      signal.throwIfAborted();
      if (buffer.length < length) buffer = new Uint8Array(length);
      const bytes = buffer.subarray(0, length);
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      if (bytesRead < length || createHash("sha256").update(bytes).digest("hex") !== id) break;
      matching = offset + length;
    }
    return matching;
  } finally {
    await file.close();
  }
}
