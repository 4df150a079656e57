import type { Env } from "@cairn/env";

/** What the data path takes of the outside world. */
export type DriveEnv = Pick<Env, "clock" | "random" | "hasher" | "log" | "metrics">;
