import type { Clock, Hasher } from "@cairn/env";
import {
  type DiskId,
  type GroupId,
  type LeaseId,
  limits,
  type Mac,
  type NodeId,
  signToken,
  type TokenClaims,
} from "@cairn/protocol";
import type { ClusterIdentity } from "../cluster/cluster-identity.ts";
import type { MetadataKeys } from "../service/metadata-keys.ts";

const commandTtlMs = 60_000;

/** Signs what nodes check offline. */
export class TokenSigner {
  readonly #clock: Clock;
  readonly #identity: ClusterIdentity;
  readonly #leaderEpoch: number;
  readonly #mac: Mac;

  constructor(
    env: { readonly clock: Clock; readonly hasher: Hasher },
    keys: MetadataKeys,
    leader: { readonly identity: ClusterIdentity; readonly epoch: number },
  ) {
    this.#clock = env.clock;
    this.#identity = leader.identity;
    this.#leaderEpoch = leader.epoch;
    this.#mac = (message) => env.hasher.hmac(keys.tokenKey, message);
  }

  get identity(): ClusterIdentity {
    return this.#identity;
  }

  /** The right to list, delete exactly and seal on one node. */
  command(node: NodeId): string {
    return this.#sign({
      kind: "command",
      node,
      incarnation: this.#identity.incarnation,
      leaderEpoch: this.#leaderEpoch,
      expiresAt: this.#clock.now() + commandTtlMs,
    });
  }

  read(group: GroupId): string {
    return this.#sign({ kind: "read", group, expiresAt: this.#clock.now() + limits.readTokenTtlMs });
  }

  write(claims: { group: GroupId; epoch: number; lease: LeaseId; chunkBytesMax: number; disks: DiskId[] }): string {
    return this.#sign({ kind: "write", ...claims, expiresAt: this.#clock.now() + limits.writeTokenTtlMs });
  }

  #sign(claims: TokenClaims): string {
    return signToken(this.#identity.cluster, claims, this.#mac);
  }
}
