import type { Clock, Random, Sql, SqlDatabase } from "@cairn/env";
import { StorageError, toHex } from "@cairn/protocol";

/** How long a leader stays one without renewing, and how often it renews; ms. */
export const leaderTtlMs = 15_000;
export const leaderRenewMs = 5000;

/**
 * The right to run maintenance and to command nodes: one row in table `job_lease`. Every taking raises the epoch, and a
 * node refuses a command of a lower epoch than it has seen, so a leader that was overtaken can do no harm.
 */
export class LeaderLease {
  readonly #clock: Clock;
  readonly #database: SqlDatabase;
  readonly #holder: string;
  readonly #epoch: number;

  private constructor(world: LeaderWorld, holder: string, epoch: number) {
    this.#clock = world.clock;
    this.#database = world.database;
    this.#holder = holder;
    this.#epoch = epoch;
  }

  /**
   * Takes the lead. With `overtake` at once: right where a file lock keeps a second metadata server away, as with SQLite.
   * Without it throws unavailable while another holder's lease lasts.
   */
  static async take(world: LeaderWorld, options: { readonly overtake: boolean }): Promise<LeaderLease> {
    const holder = toHex(world.random.bytes(8));
    const now = world.clock.now();
    const epoch = await world.database.write(async (sql) => {
      const row = await sql.get<{ epoch: number; expires_at: number }>(
        "SELECT epoch, expires_at FROM job_lease WHERE name = 'leader'",
      );
      if (row && !options.overtake && row.expires_at > now) {
        throw new StorageError("unavailable", "lead maintenance", "another metadata server leads", {
          hint: "This server serves meanwhile and takes over when the other one stops.",
        });
      }
      const next = (row?.epoch ?? 0) + 1;
      await sql.run(
        `INSERT INTO job_lease (name, holder, epoch, expires_at) VALUES ('leader', ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, expires_at = excluded.expires_at`,
        holder,
        next,
        now + leaderTtlMs,
      );
      return next;
    });
    return new LeaderLease(world, holder, epoch);
  }

  /** The fencing epoch: higher than that of every leader before. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Throws stale when another server has taken the lead. */
  async renew(): Promise<void> {
    await this.#database.write(async (sql) => {
      await this.assertHeld(sql);
      await sql.run(
        "UPDATE job_lease SET expires_at = ? WHERE name = 'leader' AND epoch = ?",
        this.#clock.now() + leaderTtlMs,
        this.#epoch,
      );
    });
  }

  /** For background writes, in their own transaction. Throws stale when another server has taken the lead. */
  async assertHeld(sql: Sql): Promise<void> {
    const row = await sql.get<{ holder: string; epoch: number }>(
      "SELECT holder, epoch FROM job_lease WHERE name = 'leader'",
    );
    if (row?.holder !== this.#holder || row.epoch !== this.#epoch) {
      throw new StorageError("stale", "lead maintenance", `epoch ${this.#epoch} was overtaken`, {
        hint: "Another metadata server leads the maintenance now; restart this one if that is not intended.",
      });
    }
  }
}

export interface LeaderWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly database: SqlDatabase;
}
