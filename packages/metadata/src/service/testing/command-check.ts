import { type NodeId, StorageError, verifyToken } from "@cairn/protocol";
import type { TestCluster } from "./test-cluster.ts";

/** As a node does: refuses a command that is not for it, and a leader that was overtaken. */
export class CommandCheck {
  readonly #cluster: TestCluster;
  readonly #node: NodeId;
  #highest = 0;

  constructor(cluster: TestCluster, node: NodeId) {
    this.#cluster = cluster;
    this.#node = node;
  }

  assert(command: string): void {
    const { keys, hasher, clock } = this.#cluster;
    const claims = verifyToken(keys.cluster, command, (message) => hasher.hmac(keys.tokenKey, message), clock.now());
    if (claims.kind !== "command" || claims.node !== this.#node) {
      throw new StorageError("forbidden", "check command", "it is not for this node");
    }
    if (claims.leaderEpoch < this.#highest) throw new StorageError("stale", "check command", "overtaken");
    this.#highest = claims.leaderEpoch;
  }
}
