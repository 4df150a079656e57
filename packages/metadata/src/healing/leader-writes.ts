import type { Sql, SqlDatabase } from "@cairn/env";
import type { EventLog, EventReport } from "../events/event-log.ts";
import type { LeaderLease } from "../membership/leader-lease.ts";

/** Writes an event in the transaction of what it tells of. */
export type TellEvent = (event: EventReport) => Promise<void>;

/**
 * Background writes. Each is one transaction that begins with a look at the lead, so that a leader that was overtaken
 * changes nothing any more, and its events are there exactly when the change is.
 */
export class LeaderWrites {
  readonly #database: SqlDatabase;
  readonly #leader: LeaderLease;
  readonly #events: EventLog;

  constructor(world: { readonly database: SqlDatabase; readonly leader: LeaderLease; readonly events: EventLog }) {
    this.#database = world.database;
    this.#leader = world.leader;
    this.#events = world.events;
  }

  /**
   * Durable when it returns; the work may run twice, as in `SqlDatabase.write`. Throws stale when another server leads,
   * and what the work and the database throw.
   */
  async run<Result>(work: (sql: Sql, tell: TellEvent) => Promise<Result>): Promise<Result> {
    let told = false;
    const result = await this.#database.write(async (sql) => {
      await this.#leader.assertHeld(sql);
      return work(sql, async (event) => {
        await this.#events.record(sql, event);
        told = true;
      });
    });
    if (told) this.#events.wake();
    return result;
  }
}
