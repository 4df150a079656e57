import type { NodeHealth, NodeId } from "@cairn/protocol";
import type { ClusterMap } from "../cluster/cluster-map.ts";
import type { EventLog, EventReport } from "../events/event-log.ts";
import type { HealthBoard } from "../membership/health-board.ts";

/** Tells the event log when nodes join, fall silent and come back. */
export class NodeWatch {
  readonly #map: ClusterMap;
  readonly #health: HealthBoard;
  readonly #events: EventLog;
  readonly #told = new Map<NodeId, NodeHealth>();
  #first = true;

  constructor(world: { readonly map: ClusterMap; readonly health: HealthBoard; readonly events: EventLog }) {
    this.#map = world.map;
    this.#health = world.health;
    this.#events = world.events;
  }

  /** One look at all nodes. What was so at the start of this server is no event. */
  async look(): Promise<void> {
    for (const { node } of this.#map.nodes()) {
      const health = this.#health.health(node);
      const before = this.#told.get(node);
      if (before === health) continue;
      const event = this.#first ? undefined : eventOf(node, before, health);
      if (event) await this.#events.tell(event);
      this.#told.set(node, health);
    }
    this.#first = false;
  }
}

function eventOf(node: NodeId, before: NodeHealth | undefined, now: NodeHealth): EventReport | undefined {
  const event = (severity: EventReport["severity"], kind: string, message: string): EventReport => ({
    severity,
    kind,
    subject: node,
    message,
  });
  if (before === undefined) return event("info", "node.joined", `${node} has joined`);
  if (now === "online") return before === "down" ? event("info", "node.online", `${node} is back`) : undefined;
  // A short silence is ordinary; what follows from it is not.
  return now === "down" ? event("warning", "node.down", `${node} has fallen silent`) : undefined;
}
