import type { Env } from "@cairn/env";
import type { NodeCommandsAt } from "@cairn/protocol";
import type { ClusterCore } from "../service/cluster-core.ts";
import type { Store } from "../sql/store.ts";

/** Whether the cluster is whole enough to conclude from what is not there. */
export interface Readiness {
  /** Why nothing may be repaired, trimmed or collected now; undefined: it may. */
  hold(): { readonly state: "safe-mode" | "storm-brake"; readonly reason: string } | undefined;
}

/** What the collection works with. */
export interface CollectionWorld {
  readonly env: Env;
  readonly store: Store;
  readonly core: ClusterCore;
  readonly nodes: NodeCommandsAt;
  readonly readiness: Readiness;
}
