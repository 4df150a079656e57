import type { Hasher } from "@cairn/env";
import { chunkIdFromHash, type ManifestEntry, StorageError } from "@cairn/protocol";

/** Throws corrupt unless the bytes are the whole chunk that its id names. */
export async function verifyChunk(hasher: Hasher, chunk: ManifestEntry, bytes: Uint8Array): Promise<void> {
  if (bytes.length !== chunk.length) throw corrupt(`${bytes.length} bytes came where ${chunk.length} belong`);
  if (chunkIdFromHash(await hasher.sha256(bytes)) !== chunk.id) throw corrupt("the bytes do not match their SHA-256");
}

/** What a reader throws when a copy is not what it should be. */
export function corrupt(what: string): StorageError {
  return new StorageError("corrupt", "read chunk", what);
}
