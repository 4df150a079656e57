import type { Random } from "@cairn/env";
import { toHex } from "@cairn/protocol";

/** What makes a cluster this cluster. Made once, kept in a file of mode 0600 outside of the database. */
export interface MetadataKeys {
  /** Id of the cluster, 32 hex digits; part of every token's signature and of every segment's header. */
  readonly cluster: string;
  /** 32 bytes: signs write, read and command tokens. */
  readonly tokenKey: Uint8Array;
}

/** Keys of a new cluster. */
export function newMetadataKeys(random: Random): MetadataKeys {
  return { cluster: toHex(random.bytes(16)), tokenKey: random.bytes(32) };
}
