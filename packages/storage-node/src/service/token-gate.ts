import type { Clock, Hasher } from "@cairn/env";
import {
  type ChunkWrite,
  type CommandClaims,
  type GroupId,
  leaseOfGeneration,
  type NodeId,
  type ReadClaims,
  StorageError,
  type TokenClaims,
  verifyToken,
  type WriteClaims,
} from "@cairn/protocol";

const tokensKept = 4096;

/** Checks tokens offline. The signature of each token is paid for once; its end is looked at every time. */
export class TokenGate {
  readonly #clock: Clock;
  readonly #hasher: Hasher;
  readonly #cluster: string;
  readonly #key: Uint8Array;
  readonly #known = new Map<string, TokenClaims>();

  constructor({ clock, hasher, cluster, key }: { clock: Clock; hasher: Hasher; cluster: string; key: Uint8Array }) {
    this.#clock = clock;
    this.#hasher = hasher;
    this.#cluster = cluster;
    this.#key = key;
  }

  /** The right to write this chunk. Throws unauthenticated, forbidden, too-large. */
  write(write: Pick<ChunkWrite, "token" | "generation">, bytes: number): WriteClaims {
    const claims = this.#verify(write.token);
    if (claims.kind !== "write") throw wrongKind("write");
    if (leaseOfGeneration(write.generation) !== claims.lease) {
      throw new StorageError("forbidden", "check token", "the generation belongs to another lease", {
        hint: "Number generations within the lease.",
      });
    }
    if (bytes > claims.chunkBytesMax) {
      throw new StorageError("too-large", "put chunk", `${bytes} bytes; this lease allows ${claims.chunkBytesMax}`);
    }
    return claims;
  }

  /** The right to read from a group. Throws unauthenticated, forbidden. */
  read(token: string, group: GroupId): ReadClaims {
    const claims = this.#verify(token);
    if (claims.kind !== "read") throw wrongKind("read");
    if (claims.group !== group) throw new StorageError("forbidden", "check token", `it is for group ${claims.group}`);
    return claims;
  }

  /** The leader's right to command this node. Throws unauthenticated, forbidden. */
  command(token: string, node: NodeId): CommandClaims {
    const claims = this.#verify(token);
    if (claims.kind !== "command") throw wrongKind("command");
    if (claims.node !== node) throw new StorageError("forbidden", "check token", `it is for ${claims.node}`);
    return claims;
  }

  #verify(token: string): TokenClaims {
    const known = this.#known.get(token);
    if (known && known.expiresAt > this.#clock.now()) return known;
    const claims = verifyToken(
      this.#cluster,
      token,
      (message) => this.#hasher.hmac(this.#key, message),
      this.#clock.now(),
    );
    if (this.#known.size >= tokensKept) this.#known.clear();
    this.#known.set(token, claims);
    return claims;
  }
}

function wrongKind(wanted: string): StorageError {
  return new StorageError("forbidden", "check token", `a ${wanted} token is needed here`);
}
