import type { Clock, Sql, SqlDatabase } from "@cairn/env";
import { type ClusterEvent, limits, type Severity } from "@cairn/protocol";
import { takeNumbers } from "../cluster/number-source.ts";

/** An event as the part that saw it tells it. */
export type EventReport = Pick<ClusterEvent, "severity" | "kind" | "subject" | "message"> & {
  readonly details?: Readonly<Record<string, unknown>>;
};

interface EventRow {
  readonly sequence: number;
  readonly at: number;
  readonly severity: number;
  readonly kind: string;
  readonly subject: string;
  readonly message: string;
  readonly details: string;
}

const severities: readonly Severity[] = ["info", "warning", "error"];
const pruneBatch = 5000;

/** What happened to the cluster, in order, in table `event`: written in the transaction of what it tells of. */
export class EventLog {
  readonly #clock: Clock;
  readonly #database: SqlDatabase;
  readonly #waiting = new Set<() => void>();

  constructor(world: { readonly clock: Clock; readonly database: SqlDatabase }) {
    this.#clock = world.clock;
    this.#database = world.database;
  }

  /** In the caller's transaction: the event is there exactly when the change is. Call `wake` after it has committed. */
  async record(sql: Sql, event: EventReport): Promise<void> {
    await sql.run(
      "INSERT INTO event (sequence, at, severity, kind, subject, message, details) VALUES (?, ?, ?, ?, ?, ?, ?)",
      await takeNumbers(sql, "next_event", 1),
      this.#clock.now(),
      severities.indexOf(event.severity),
      event.kind,
      event.subject,
      event.message,
      JSON.stringify(event.details ?? {}),
    );
  }

  /** For what changes nothing else in the database. */
  async tell(event: EventReport): Promise<void> {
    await this.#database.write((sql) => this.record(sql, event));
    this.wake();
  }

  /** Those who wait for the next event look again. */
  wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Oldest first after a sequence number; with `waitMs` it waits so long for the first one. */
  async after(
    sequence: number,
    options: { readonly limit: number; readonly waitMs?: number | undefined; readonly severity?: Severity | undefined },
  ): Promise<readonly ClusterEvent[]> {
    const until = this.#clock.monotonic() + Math.min(options.waitMs ?? 0, limits.eventWaitMs);
    while (true) {
      const events = await this.#read(sequence, options);
      const left = until - this.#clock.monotonic();
      if (events.length > 0 || left <= 0) return events;
      await this.#next(left);
    }
  }

  /** The sequence number of the newest event; 0 when there is none. */
  async last(): Promise<number> {
    const row = await this.#database.read((sql) =>
      sql.get<{ last: number | null }>("SELECT max(sequence) AS last FROM event"),
    );
    return row?.last ?? 0;
  }

  /** Removes the oldest beyond `kept`. */
  async prune(kept: number): Promise<void> {
    const row = await this.#database.read((sql) =>
      sql.get<{ last: number | null; first: number | null }>(
        "SELECT max(sequence) AS last, min(sequence) AS first FROM event",
      ),
    );
    const end = (row?.last ?? 0) - kept;
    for (let from = row?.first ?? 0; from <= end; from += pruneBatch) {
      const upTo = Math.min(from + pruneBatch - 1, end);
      await this.#database.write((sql) => sql.run("DELETE FROM event WHERE sequence <= ?", upTo));
    }
  }

  async #read(
    sequence: number,
    { limit, severity }: { readonly limit: number; readonly severity?: Severity | undefined },
  ): Promise<readonly ClusterEvent[]> {
    const rows = await this.#database.read((sql) =>
      sql.all<EventRow>(
        "SELECT sequence, at, severity, kind, subject, message, details FROM event WHERE sequence > ? AND severity >= ? ORDER BY sequence LIMIT ?",
        sequence,
        severity ? severities.indexOf(severity) : 0,
        Math.min(limit, limits.eventsMax),
      ),
    );
    return rows.map((row) => ({
      ...row,
      severity: severities[row.severity] ?? "info",
      details: JSON.parse(row.details) as Record<string, unknown>,
    }));
  }

  /** Resolves with the next event, or after `ms`. */
  async #next(ms: number): Promise<void> {
    const over = new AbortController();
    const event = new Promise<void>((resolve) => {
      const look = (): void => {
        this.#waiting.delete(look);
        over.abort();
        resolve();
      };
      this.#waiting.add(look);
      over.signal.addEventListener("abort", () => this.#waiting.delete(look), { once: true });
    });
    await Promise.race([event, this.#clock.sleep(ms, over.signal).catch(() => undefined)]);
    over.abort();
  }
}
