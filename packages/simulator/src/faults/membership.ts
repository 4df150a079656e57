import type { MembershipChange, NodeId } from "@cairn/protocol";
import type { NodeHost } from "../world/node-host.ts";
import type { World } from "../world/world.ts";
import type { Operator } from "./operator.ts";

const nodesMax = 8;

/** What people do to the members of a cluster, at the worst moments. What the cluster refuses, they leave. */
export class Membership {
  readonly #world: World;
  readonly #operator: Operator;
  #draining = false;
  #stopped = false;
  #copies: number;

  constructor(world: World, operator: Operator) {
    this.#world = world;
    this.#operator = operator;
    this.#copies = world.options.copies;
  }

  /** Nobody is removed any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** The node is emptied; after so many ms it is removed if nothing is left on it, or it stays after all. */
  drain(host: NodeHost, ms: number): string | undefined {
    const node = host.node?.node;
    if (node === undefined || this.#draining || !this.#apply({ kind: "drain", node })) return undefined;
    this.#draining = true;
    this.#world.timeline.after(ms, () => void this.#endDrain(host, node));
    return host.machine.name;
  }

  add(): string | undefined {
    if (this.#operator.nodes().length >= nodesMax) return undefined;
    const host = this.#world.addNode();
    host.start();
    return host.machine.name;
  }

  rebalance(): string | undefined {
    return this.#apply({ kind: "rebalance" }) ? "all disks" : undefined;
  }

  /** One copy more, or back again. */
  changeCopies(): string | undefined {
    const { copies } = this.#world.options;
    const wanted = this.#copies === copies ? copies + 1 : copies;
    const { opened } = this.#world.metadata;
    if (!opened || this.#operator.nodes().length < wanted) return undefined;
    this.#copies = wanted;
    const changing = opened.metadata.drives().then(([drive]) => {
      if (drive) this.#apply({ kind: "change-copies", drive: drive.id, copies: wanted });
    });
    changing.catch((error: Error) => this.#world.log.note("operator", `no drives: ${error.message}`));
    return `to ${wanted}`;
  }

  async #endDrain(host: NodeHost, node: NodeId): Promise<void> {
    this.#draining = false;
    const { opened } = this.#world.metadata;
    if (!opened || host.gone) return;
    try {
      const { groups } = await opened.operations.nodeImpact(node);
      if (groups > 0 || this.#stopped) this.#apply({ kind: "undrain", node });
      else if (await opened.operations.applyChange({ kind: "remove", node }).then(() => true)) {
        this.#world.faulted("removed node");
        this.#operator.giveUp(host);
      }
    } catch (error) {
      this.#refused("remove", error);
    }
  }

  /** False when nobody is there to be asked. */
  #apply(change: MembershipChange): boolean {
    const { opened } = this.#world.metadata;
    opened?.operations.applyChange(change).catch((error: unknown) => this.#refused(change.kind, error));
    return opened !== undefined;
  }

  #refused(what: string, error: unknown): void {
    this.#world.log.note("operator", `${what} refused: ${error instanceof Error ? error.message : String(error)}`);
  }
}
