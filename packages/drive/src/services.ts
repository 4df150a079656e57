import type { Env } from "@cairn/env";
import type { ChunkServiceAt, DataPathService } from "@cairn/protocol";

/** What the data path takes of the outside world. */
export type DriveEnv = Pick<Env, "clock" | "random" | "hasher" | "log" | "metrics">;

/** The two services that the data path stands between. */
export interface DriveServices {
  readonly metadata: DataPathService;
  readonly chunksAt: ChunkServiceAt;
}
