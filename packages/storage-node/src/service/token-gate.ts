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

export interface TokenGateParts {
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly cluster: string;
  /** The cluster's token key, 32 bytes. */
  readonly key: Uint8Array;
}

/** Checks tokens offline. The signature of each token is paid for once; its end is looked at every time. */
export class TokenGate {
  readonly #parts: TokenGateParts;
  /** Genuine tokens only, the one that was used last at the end. */
  readonly #known = new Map<string, TokenClaims>();

  constructor(parts: TokenGateParts) {
    this.#parts = parts;
  }

  /** The right to write into some group. Throws unauthenticated, forbidden. */
  writer(token: string): WriteClaims {
    const claims = this.#verify(token);
    if (claims.kind !== "write") throw wrongKind("write");
    return claims;
  }

  /** The right to write this chunk, whose bytes are seen to later. Throws unauthenticated, forbidden. */
  write(write: Pick<ChunkWrite, "token" | "generation">): WriteClaims {
    const claims = this.writer(write.token);
    if (leaseOfGeneration(write.generation) !== claims.lease) {
      throw new StorageError("forbidden", "check token", "the generation belongs to another lease", {
        hint: "Number generations within the lease.",
      });
    }
    return claims;
  }

  /** The right to read from some group. Throws unauthenticated, forbidden. */
  reader(token: string): ReadClaims {
    const claims = this.#verify(token);
    if (claims.kind !== "read") throw wrongKind("read");
    return claims;
  }

  /** The right to read from this group. Throws unauthenticated, forbidden. */
  read(token: string, group: GroupId): ReadClaims {
    const claims = this.reader(token);
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
    const { clock, hasher, cluster, key } = this.#parts;
    const known = this.#known.get(token);
    if (known) {
      this.#known.delete(token);
      if (known.expiresAt > clock.now()) {
        this.#known.set(token, known);
        return known;
      }
    }
    const claims = verifyToken(cluster, token, (message) => hasher.hmac(key, message), clock.now());
    if (this.#known.size >= tokensKept) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(token, claims);
    return claims;
  }
}

function wrongKind(wanted: string): StorageError {
  return new StorageError("forbidden", "check token", `a ${wanted} token is needed here`);
}
