import type { ChunkServiceAt, DataPathService } from "@cairn/protocol";
import type { NodeBoard } from "./nodes/node-board.ts";

/** The two services that the data path stands between. */
export interface DriveServices {
  readonly metadata: DataPathService;
  readonly chunksAt: ChunkServiceAt;
  /** What is known about the nodes. Give the same to the reader and the writer of a process so that both learn from each. */
  readonly nodes?: NodeBoard | undefined;
}
