import type { Clock, Log, Sql, SqlDatabase } from "@cairn/env";
import {
  bytesOfId,
  type DriveId,
  type Lease,
  type LeaseId,
  limits,
  parseLeaseId,
  StorageError,
  type WritableGroup,
} from "@cairn/protocol";
import type { ClusterMap, GroupRecord } from "../cluster/cluster-map.ts";
import type { GroupedWrites } from "../cluster/grouped-writes.ts";
import { takeNumbers } from "../cluster/number-source.ts";
import type { LeaseGate } from "../contracts.ts";
import type { HealthBoard } from "../membership/health-board.ts";
import type { TokenSigner } from "../membership/token-signer.ts";
import type { GroupPlacement } from "../placement/group-placement.ts";
import { membersOf } from "../placement/group-view-cache.ts";

export interface LeaseWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly database: SqlDatabase;
  readonly writes: GroupedWrites;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
  readonly placement: GroupPlacement;
  readonly signer: TokenSigner;
}

interface DrivePolicy {
  readonly copies: number;
  readonly chunk_bytes: number;
}

const holderLengthMax = 200;

/**
 * The rights to write. A lease is open or closed in the database, closed is final, and only an open one commits: that is
 * what lets the sweep of a closed lease's left-over chunks be safe. Its end by the clock only makes somebody close it.
 */
export class WriteLeases implements LeaseGate {
  readonly #world: LeaseWorld;

  constructor(world: LeaseWorld) {
    this.#world = world;
  }

  /** Throws not-found (drive), unavailable, no-space, invalid. */
  async open(drive: DriveId, holder: string): Promise<Lease> {
    if (holder.length > holderLengthMax) {
      throw new StorageError("invalid", "open lease", "the holder's name is too long", {
        hint: `A holder is named in up to ${holderLengthMax} characters.`,
      });
    }
    const { database, placement, writes, clock } = this.#world;
    const policy = await database.read((sql) => policyOf(sql, drive));
    const groups = await placement.writable(policy.copies);
    const id = await writes.run(async (sql) => {
      const lease = leaseIdOf(await takeNumbers(sql, "next_lease", 1));
      await sql.run(
        "INSERT INTO lease (id, drive, holder, state, expires_at) VALUES (?, ?, ?, 0, ?)",
        lease,
        bytesOfId(drive),
        holder,
        clock.now() + limits.leaseTtlMs,
      );
      return lease;
    });
    return this.#lease(id, policy, groups);
  }

  /**
   * Throws stale when the lease is closed or has expired. Throws unavailable or no-space as open does when nothing can be
   * written; the lease is renewed all the same, so that what is under way can still be committed.
   */
  async renew(lease: LeaseId): Promise<Lease> {
    const { writes, placement, clock } = this.#world;
    const policy = await writes.run(async (sql) => {
      await this.assertOpen(sql, lease);
      await sql.run("UPDATE lease SET expires_at = ? WHERE id = ?", clock.now() + limits.leaseTtlMs, lease);
      const row = await sql.get<DrivePolicy>(
        "SELECT drive.copies, drive.chunk_bytes FROM lease JOIN drive ON drive.id = lease.drive WHERE lease.id = ?",
        lease,
      );
      if (!row) throw new StorageError("not-found", "renew lease", `the drive of lease ${lease}`);
      return row;
    });
    return this.#lease(lease, policy, await placement.writable(policy.copies));
  }

  /** Closing a closed lease is fine. Throws not-found for one that was never given. */
  async close(lease: LeaseId): Promise<void> {
    const changed = await this.#world.writes.run((sql) => sql.run("UPDATE lease SET state = 1 WHERE id = ?", lease));
    if (changed === 0) throw new StorageError("not-found", "close lease", `lease ${lease}`);
  }

  async assertOpen(sql: Sql, lease: LeaseId): Promise<void> {
    const row = await sql.get<{ state: number; expires_at: number }>(
      "SELECT state, expires_at FROM lease WHERE id = ?",
      lease,
    );
    const why = refusalOf(row, this.#world.clock.now());
    if (why === undefined) return;
    throw new StorageError("stale", "use lease", `lease ${lease} ${why}`, {
      hint: "Open a new lease and send the chunks again.",
    });
  }

  /** Closes what has not been renewed; tells how many. A lease ends in due time also when the clock was put back. */
  async closeExpired(): Promise<number> {
    const { writes, clock, log } = this.#world;
    const closed = await writes.run(async (sql) => {
      const latest = clock.now() + limits.leaseTtlMs;
      await sql.run("UPDATE lease SET expires_at = ? WHERE state = 0 AND expires_at > ?", latest, latest);
      return sql.run("UPDATE lease SET state = 1 WHERE state = 0 AND expires_at <= ?", clock.now());
    });
    if (closed > 0) log.info({ closed }, "closed leases that were not renewed");
    return closed;
  }

  /** After a start: nobody could renew while the metadata server was away, so open leases get their whole time again. */
  async extendOpen(): Promise<void> {
    const { writes, clock } = this.#world;
    const expiresAt = clock.now() + limits.leaseTtlMs;
    await writes.run((sql) =>
      sql.run("UPDATE lease SET expires_at = ? WHERE state = 0 AND expires_at < ?", expiresAt, expiresAt),
    );
  }

  #lease(id: LeaseId, policy: DrivePolicy, groups: readonly GroupRecord[]): Lease {
    return {
      id,
      expiresInMs: limits.leaseTtlMs,
      chunkBytes: policy.chunk_bytes,
      copies: policy.copies,
      groups: groups.map((group) => this.#writable(group, id, policy.chunk_bytes)),
    };
  }

  #writable(group: GroupRecord, lease: LeaseId, chunkBytesMax: number): WritableGroup {
    const members = membersOf(group, this.#world);
    const disks = group.slots.map((slot) => slot.disk);
    const writeToken = this.#world.signer.write({ group: group.id, epoch: group.epoch, lease, chunkBytesMax, disks });
    return { id: group.id, epoch: group.epoch, members, writeToken };
  }
}

function refusalOf(row: { state: number; expires_at: number } | undefined, now: number): string | undefined {
  if (!row) return "was never given";
  if (row.state !== 0) return "is closed";
  return row.expires_at <= now ? "has expired" : undefined;
}

async function policyOf(sql: Sql, drive: DriveId): Promise<DrivePolicy> {
  const row = await sql.get<DrivePolicy>("SELECT copies, chunk_bytes FROM drive WHERE id = ?", bytesOfId(drive));
  if (!row) throw new StorageError("not-found", "open lease", drive);
  return row;
}

/** Generations must stay below 2^53; at a lease a second this lasts 17 years. */
function leaseIdOf(number: number): LeaseId {
  try {
    return parseLeaseId(number);
  } catch (cause) {
    throw new StorageError("internal", "open lease", "all lease ids of this cluster have been given", { cause });
  }
}
