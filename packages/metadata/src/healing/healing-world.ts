import type { Env, SqlDatabase } from "@cairn/env";
import type { NodeCommandsAt } from "@cairn/protocol";
import type { ClusterCore } from "../service/cluster-core.ts";

/** What the healing works with. */
export interface HealingWorld {
  readonly env: Env;
  readonly database: SqlDatabase;
  readonly core: ClusterCore;
  readonly nodes: NodeCommandsAt;
}
