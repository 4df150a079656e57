import { asStorageError, isKind, type ReadPlan } from "@cairn/protocol";
import { linkedController } from "../nodes/deadline.ts";
import type { TransferControl } from "../transfer.ts";
import type { CheckedCopy, CheckedState, ChunkCheck } from "./chunk-check.ts";
import { type FilePiece, piecesOf, type ReadPath } from "./file-read.ts";

const chunksUnderWayMax = 4;

/** Reads every chunk of a file on every one of its copies, in order of the file. */
export async function* checkFile(path: ReadPath, plan: ReadPlan, control: TransferControl): AsyncGenerator<ChunkCheck> {
  const stop = linkedController(control.signal);
  const { size } = plan.entry;
  const progress = { bytesDone: 0, bytesTotal: size, bytesKnown: 0, chunksDone: 0 };
  const ahead: Promise<ChunkCheck>[] = [];
  const tell = (check: ChunkCheck): ChunkCheck => {
    progress.bytesDone += check.length;
    progress.chunksDone++;
    control.onProgress?.({ ...progress });
    return check;
  };
  try {
    for await (const piece of piecesOf(path, { plan, offset: 0, length: size, signal: stop.signal })) {
      const check = checkChunk(path, piece, stop.signal);
      check.catch(() => undefined);
      ahead.push(check);
      if (ahead.length >= chunksUnderWayMax) yield tell(await (ahead.shift() as Promise<ChunkCheck>));
    }
    for (const check of ahead) yield tell(await check);
  } finally {
    stop.unlink();
    stop.abort();
  }
}

async function checkChunk(path: ReadPath, piece: FilePiece, signal: AbortSignal): Promise<ChunkCheck> {
  const { chunk, index, start } = piece;
  const group = await path.groups.get(chunk.group, signal);
  const copies = await Promise.all(
    group.members.map(async (member): Promise<CheckedCopy> => {
      const copy = { disk: member.disk, node: member.node };
      try {
        await path.chunks.readCopy({ chunk }, { group, member }, signal);
        return { ...copy, state: "ok", reason: undefined };
      } catch (error) {
        if (isKind(error, "cancelled")) throw error;
        return { ...copy, state: stateOf(error), reason: asStorageError(error, "read chunk").message };
      }
    }),
  );
  return { ...chunk, index, offset: start, copies };
}

function stateOf(error: unknown): CheckedState {
  if (isKind(error, "corrupt")) return "corrupt";
  return isKind(error, "not-found") ? "missing" : "unreachable";
}
