import type { Hasher, Random } from "@cairn/env";
import { toBase64Url, utf8 } from "@cairn/protocol";

/** What a secret opens; part of its spelling, so that leaked ones are recognised and none is used in another's place. */
export type SecretKind = "access" | "join" | "node" | "gateway";

const prefixes: Readonly<Record<SecretKind, string>> = {
  access: "cairn_",
  join: "cairn_join_",
  node: "cairn_node_",
  gateway: "cairn_gateway_",
};
const secretBytes = 32;
const secretLengthMax = 128;

/** A new secret of 256 bits. Only its hash is ever stored. */
export function newSecret(kind: SecretKind, random: Random): string {
  return prefixes[kind] + toBase64Url(random.bytes(secretBytes));
}

/**
 * The SHA-256 under which a secret is stored; a secret of 256 bits needs no slow hash. It comes from the wire and may be
 * anything: what is no text is hashed as the empty one, which is nobody's secret.
 */
export function hashOfSecret(hasher: Hasher, secret: unknown): Promise<Uint8Array> {
  const text = typeof secret === "string" ? secret : "";
  // Of a text longer than any secret no more is hashed than tells it apart, so that a huge one costs nothing.
  return hasher.sha256(utf8(text.slice(0, secretLengthMax + 1)));
}
