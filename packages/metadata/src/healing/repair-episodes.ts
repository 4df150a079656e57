import type { Clock } from "@cairn/env";
import type { EventLog } from "../events/event-log.ts";

/** Tells when the repair of lost copies begins and when all have been replaced. */
export class RepairEpisodes {
  readonly #clock: Clock;
  readonly #events: EventLog;
  #begun: { readonly at: number; readonly doneBytes: number } | undefined;

  constructor(world: { readonly clock: Clock; readonly events: EventLog }) {
    this.#clock = world.clock;
    this.#events = world.events;
  }

  /** `lost`: groups that lack a copy and are due; `moving`: those that are getting one. */
  async look(now: { readonly lost: number; readonly moving: number; readonly doneBytes: number }): Promise<void> {
    if (!this.#begun && now.moving > 0) {
      this.#begun = { at: this.#clock.monotonic(), doneBytes: now.doneBytes };
      const groups = now.lost + now.moving;
      const message = `${groups} groups have lost a copy and are getting a new one`;
      const event = { severity: "warning", kind: "repair.started", subject: "cluster", message } as const;
      await this.#events.tell({ ...event, details: { groups } });
    }
    if (!this.#begun || now.lost + now.moving > 0) return;
    const ms = Math.round(this.#clock.monotonic() - this.#begun.at);
    const bytes = Math.max(0, now.doneBytes - this.#begun.doneBytes);
    this.#begun = undefined;
    const message = `every group that could be repaired has its copies again after ${Math.ceil(ms / 1000)} s`;
    const event = { severity: "info", kind: "repair.finished", subject: "cluster", message } as const;
    await this.#events.tell({ ...event, details: { ms, bytes } });
  }
}
