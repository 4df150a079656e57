import type { OpenMetadata } from "@cairn/metadata";
import type { NodeId, NodeStatus } from "@cairn/protocol";
import { calmNetwork } from "../network/link-faults.ts";
import { healthyDisk, type NodeHost } from "../world/node-host.ts";
import type { World } from "../world/world.ts";

const lookMs = 500;
const removeEveryMs = 20_000;

/** Starts again what has ended, as a supervisor does, and mends everything at the end. */
export class Operator {
  readonly #world: World;
  readonly #downUntil = new Map<NodeHost | "metadata", number>();
  readonly #removed = new Set<NodeId>();
  #removeAt = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** Begins to look after all parts. */
  start(): void {
    this.#world.timeline.after(lookMs, () => {
      if (this.#stopped) return;
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The part stays down for so long. */
  leaveDown(part: NodeHost | "metadata", ms: number): void {
    this.#downUntil.set(part, this.#world.timeline.now + ms);
  }

  /** The machine is gone for good. */
  giveUp(node: NodeHost): void {
    node.gone = true;
    node.cutPower();
  }

  /** Machines that are not gone for good. */
  nodes(): readonly NodeHost[] {
    return this.#world.nodes.filter(({ gone }) => !gone);
  }

  /** Takes every fault away and starts everything anew that is not gone for good. */
  mendAll(): void {
    const { network, metadata, clients } = this.#world;
    Object.assign(network.faults, calmNetwork);
    network.cuts.mendAll();
    metadata.faults.slowStatement = 0;
    metadata.faults.unknownOutcome = 0;
    this.#world.crashPointChance = 0;
    this.#downUntil.clear();
    for (const { machine } of [metadata, ...this.#world.nodes, ...clients]) machine.jump(0);
    // A drive may ask for one copy more than at first, and that many nodes must be there.
    while (this.nodes().length <= this.#world.options.copies) this.#world.addNode();
    for (const node of this.nodes()) {
      for (const disk of node.disks) {
        Object.assign(disk.faults, healthyDisk);
        disk.platter.totalBytes = this.#world.options.diskBytes;
      }
      node.start();
    }
    this.#world.calm = true;
    metadata.kill();
    this.#world.startMetadata();
    this.#removeAt = this.#world.timeline.now + removeEveryMs;
  }

  #look(): void {
    const { metadata, timeline } = this.#world;
    const due = (part: NodeHost | "metadata"): boolean => (this.#downUntil.get(part) ?? 0) <= timeline.now;
    if (!metadata.machine.running && due("metadata")) this.#world.startMetadata();
    for (const node of this.nodes()) if (!node.machine.running && due(node)) node.start();
    if (timeline.now >= this.#removeAt) this.#removeGone();
  }

  /** Tells the cluster which nodes never come back: while it waits for many of them, it copies nothing. */
  #removeGone(): void {
    const { metadata, timeline, log } = this.#world;
    this.#removeAt = timeline.now + removeEveryMs;
    const { opened } = metadata;
    opened?.metadata.nodes().then(
      (nodes) => {
        for (const status of nodes) this.#settle(opened, status);
      },
      (error: Error) => log.note("operator", `no nodes: ${error.message}`),
    );
  }

  /** By the address that the cluster shows: a machine may be lost before it has learnt the name that it was given. */
  #settle({ operations }: OpenMetadata, { node, url, duty }: NodeStatus): void {
    const gone = this.#world.nodes.find((host) => host.url === url)?.gone;
    if (gone === undefined || duty === "removed" || this.#removed.has(node)) return;
    // With too few nodes left, nobody goes on emptying one that is well; refused for those that are not being emptied.
    if (!gone) operations.applyChange({ kind: "undrain", node }).catch(() => undefined);
    else
      operations.applyChange({ kind: "remove", node }).then(
        () => this.#removed.add(node),
        (error: Error) => this.#world.log.note("operator", `removal of ${node}: ${error.message}`),
      );
  }
}
