import type { Network } from "@cairn/env";
import { fromUtf8, type NodeIdentity } from "@cairn/protocol";
import type { NodeRecord } from "../cluster/cluster-map.ts";
import type { TokenSigner } from "./token-signer.ts";

const probeTimeoutMs = 2000;
const identityBytesMax = 65_536;

/**
 * Asks the address that a node had before whether the process that registered there still lives. Only its own answer
 * with its own nonce counts: a refused connection, silence or another process's answer is no sign of it.
 */
export class LiveProcessProbe {
  readonly #network: Network;
  readonly #signer: TokenSigner;

  constructor(network: Network, signer: TokenSigner) {
    this.#network = network;
    this.#signer = signer;
  }

  async isAlive(before: NodeRecord): Promise<boolean> {
    try {
      const reply = await this.#network.request({
        method: "GET",
        url: `${before.url}/identity`,
        headers: { authorization: `Bearer ${this.#signer.command(before.node)}` },
        timeoutMs: probeTimeoutMs,
        replyBytesMax: identityBytesMax,
      });
      if (reply.status !== 200) return false;
      const identity = JSON.parse(fromUtf8(reply.body)) as Partial<NodeIdentity> | null;
      return identity?.node === before.node && identity.bootNonce === before.bootNonce;
    } catch {
      // Nothing that answers properly is there; that is the answer sought, not a failure.
      return false;
    }
  }
}
