import type { CommandClaims, NodeId } from "@cairn/protocol";
import type { CommandFence } from "./command-fence.ts";
import type { TokenGate } from "./token-gate.ts";

/** Who may command this node: a live command token for it, of a leader that was not overtaken. */
export class CommandGate {
  readonly #node: NodeId;
  readonly #gate: TokenGate;
  readonly #fence: CommandFence;

  constructor(node: NodeId, { gate, fence }: { gate: TokenGate; fence: CommandFence }) {
    this.#node = node;
    this.#gate = gate;
    this.#fence = fence;
  }

  /** To be asked right before the work begins. Throws unauthenticated, forbidden, stale. */
  async pass(command: string): Promise<CommandClaims> {
    await this.#fence.pass(this.#gate.command(command, this.#node));
    // Noting the leader takes as long as a disk takes, and the token may have ended meanwhile.
    return this.#gate.command(command, this.#node);
  }

  /** False as soon as another leader has commanded the node: what the older one began goes no further. */
  isCurrent(claims: CommandClaims): boolean {
    return this.#fence.isCurrent(claims);
  }
}
