import type { ChunkCheck, DriveReader } from "@cairn/drive";
import type { Entry } from "@cairn/protocol";
import type { VerifyOptions, VerifyReport } from "./options.ts";

const damagedMax = 1000;

/** Reads every copy of every chunk and adds up what was found. */
export async function verifyFile(reader: DriveReader, entry: Entry, options: VerifyOptions): Promise<VerifyReport> {
  const { signal, onProgress, onChunk } = options;
  const copies = { ok: 0, corrupt: 0, missing: 0, unreachable: 0 };
  const damaged: ChunkCheck[] = [];
  let chunks = 0;
  let chunksWithoutCopy = 0;
  for await (const check of reader.check({ id: entry.id }, { signal, onProgress })) {
    chunks++;
    for (const { state } of check.copies) copies[state]++;
    const good = check.copies.filter(({ state }) => state === "ok").length;
    if (good === 0) chunksWithoutCopy++;
    if (good < entry.copies && damaged.length < damagedMax) damaged.push(check);
    onChunk?.(check);
  }
  return { entry, chunks, copies, chunksWithoutCopy, damaged };
}
