import type { Clock } from "@cairn/env";
import { type DiskState, limits, type NodeHealth, type NodeId } from "@cairn/protocol";

interface Pulse {
  /** Monotonic ms of the last sign of life; of the start of watching while there was none. */
  since: number;
  heard: boolean;
  health: NodeHealth;
}

/** After a start, so long is waited for nodes to be heard before anything is refused for want of them; ms. */
export const settleMs: number = 2 * limits.heartbeatMs;

/**
 * Who is alive, by the monotonic clock and in memory only. A node that has not been heard since the metadata server
 * started counts as suspect: it gets no writes and is the last choice for reads until its first heartbeat, which comes
 * within seconds if it lives; if none comes it is down as after any other silence.
 */
export class HealthBoard {
  readonly #clock: Clock;
  readonly #pulses = new Map<NodeId, Pulse>();
  readonly #startedAt: number;
  readonly #told = new Map<NodeId, NodeHealth>();
  #version = 1;
  #nextChangeAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
  }

  /** Starts to watch a node that is known from before. */
  watch(node: NodeId): void {
    if (this.#pulses.has(node)) return;
    this.#pulses.set(node, { since: this.#clock.monotonic(), heard: false, health: "suspect" });
    this.#version++;
    this.#refresh();
  }

  /** A sign of life. */
  hear(node: NodeId): void {
    const before = this.health(node);
    const now = this.#clock.monotonic();
    this.#pulses.set(node, { since: now, heard: true, health: "online" });
    if (before !== "online") this.#version++;
    this.#nextChangeAt = Math.min(this.#nextChangeAt, now + limits.suspectAfterMs);
  }

  health(node: NodeId): NodeHealth {
    this.#catchUp();
    return this.#pulses.get(node)?.health ?? "down";
  }

  /** Undefined when the node has not been heard since the metadata server started. */
  silentForMs(node: NodeId): number | undefined {
    const pulse = this.#pulses.get(node);
    return pulse?.heard ? this.#clock.monotonic() - pulse.since : undefined;
  }

  /** Monotonic ms without a sign of life; while there was none since the start, the time since then. */
  awayForMs(node: NodeId): number {
    const pulse = this.#pulses.get(node);
    return this.#clock.monotonic() - (pulse?.since ?? this.#startedAt);
  }

  /** Rises whenever any node's health has changed; asking is cheap. */
  get version(): number {
    this.#catchUp();
    return this.#version;
  }

  /** True shortly after the start while some node has not been heard yet: it may well be alive. */
  isSettling(): boolean {
    if (this.#clock.monotonic() - this.#startedAt >= settleMs) return false;
    for (const pulse of this.#pulses.values()) if (!pulse.heard) return true;
    return false;
  }

  /** Nodes whose health differs from what the last call told. */
  changes(): readonly { readonly node: NodeId; readonly health: NodeHealth }[] {
    this.#catchUp();
    const changes: { node: NodeId; health: NodeHealth }[] = [];
    for (const [node, { health }] of this.#pulses) {
      if (this.#told.get(node) !== health) changes.push({ node, health });
      this.#told.set(node, health);
    }
    return changes;
  }

  #catchUp(): void {
    if (this.#clock.monotonic() >= this.#nextChangeAt) this.#refresh();
  }

  #refresh(): void {
    const now = this.#clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const pulse of this.#pulses.values()) {
      const health = healthAfter(now - pulse.since, pulse.heard);
      if (health !== pulse.health) this.#version++;
      pulse.health = health;
      if (health === "online") next = Math.min(next, pulse.since + limits.suspectAfterMs);
      if (health === "suspect") next = Math.min(next, pulse.since + limits.downAfterMs);
    }
    this.#nextChangeAt = next;
  }
}

/** What a silence of so many ms means. */
export function healthAfter(silentMs: number, heard: boolean): NodeHealth {
  if (silentMs >= limits.downAfterMs) return "down";
  return heard && silentMs < limits.suspectAfterMs ? "online" : "suspect";
}

/** How well a copy can be read: a disk that failed is gone although its node answers; a suspect one is the last choice. */
export function copyHealth(node: NodeHealth, disk: DiskState): NodeHealth {
  if (node === "down" || disk === "failed") return "down";
  return node === "suspect" || disk === "suspect" ? "suspect" : "online";
}
