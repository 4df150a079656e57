import type { Sql } from "@cairn/env";
import { type CollectionStatus, StorageError } from "@cairn/protocol";
import { noDeleteReason } from "../cluster/no-delete.ts";
import { SteadyTime } from "../service/steady-time.ts";
import type { CollectionWorld } from "./collection-world.ts";

/** Why the collection stands still, in the words of its status. */
export interface CollectionHold {
  readonly state: Extract<CollectionStatus["state"], "paused" | "no-delete" | "safe-mode">;
  readonly reason: string;
}

/** Decides whether anything may be condemned or deleted right now. */
export class CollectionGate {
  readonly #world: Pick<CollectionWorld, "core" | "store" | "readiness">;
  readonly #time: SteadyTime;

  constructor(world: Pick<CollectionWorld, "core" | "store" | "readiness">) {
    this.#world = world;
    this.#time = new SteadyTime(world.store.clock);
  }

  /** Undefined when the collection may go on. */
  async hold(): Promise<CollectionHold | undefined> {
    const { core, store, readiness } = this.#world;
    const forbidden = await store.database.read(noDeleteReason);
    if (forbidden !== undefined) return { state: "no-delete", reason: forbidden };
    if (core.settings.isOn("collect.paused")) return { state: "paused", reason: "the setting collect.paused is on" };
    const hold = readiness.hold();
    return hold && { state: "safe-mode", reason: hold.reason };
  }

  /**
   * Stands first in each snapshot or transaction in which something is decided, and before each command that is sent.
   * Throws stale when another server leads, unavailable while nothing may be deleted.
   */
  async guard(sql: Sql): Promise<void> {
    await this.#world.core.leader.assertHeld(sql);
    const forbidden = await noDeleteReason(sql);
    const reason = forbidden ?? this.#world.readiness.hold()?.reason;
    if (reason === undefined) return;
    throw new StorageError("unavailable", "collect", reason, {
      hint: "Nothing is condemned or deleted until then. See: cairn gc status",
    });
  }

  /** Wall clock ms that graces are counted back from. */
  now(): number {
    return this.#time.now();
  }
}
