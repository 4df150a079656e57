import type { Env } from "@cairn/env";
import type { ChunkServiceAt, DataPathService } from "@cairn/protocol";
import type { NodeBoard } from "./nodes/node-board.ts";

/** What the data path takes of the outside world. */
export type DriveEnv = Pick<Env, "clock" | "random" | "hasher" | "log" | "metrics">;

/** The two services that the data path stands between. */
export interface DriveServices {
  readonly metadata: DataPathService;
  readonly chunksAt: ChunkServiceAt;
  /** What is known about the nodes. Give the same to the reader and the writer of a process so that both learn from each. */
  readonly nodes?: NodeBoard | undefined;
}
