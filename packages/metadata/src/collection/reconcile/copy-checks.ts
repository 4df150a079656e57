import type { SqlDatabase } from "@cairn/env";
import type { DiskId, GroupId } from "@cairn/protocol";
import type { LeaderWrites } from "../../healing/leader-writes.ts";

/** What is known of one copy, as table `group_copy` has it; times are wall clock ms. */
export interface CopyCheck {
  /** The digest with which it was found to hold all that it should; undefined since it changed. */
  readonly checkedDigest: string | undefined;
  readonly checkedAt: number | undefined;
}

interface CheckRow {
  readonly grp: number;
  readonly disk: number;
  readonly checked_digest: string | null;
  readonly checked_at: number | null;
}

/** A copy of a group on a disk. */
export interface CopyName {
  readonly group: GroupId;
  readonly disk: DiskId;
}

/**
 * With which digest each copy was last found to be whole: in memory for whoever asks, in table `group_copy` for the next
 * start. A copy that changes loses its check durably, so that one which is put back to an earlier state does not look whole.
 */
export class CopyChecks {
  readonly #writes: LeaderWrites;
  readonly #checks: Map<string, CopyCheck>;

  private constructor(writes: LeaderWrites, checks: Map<string, CopyCheck>) {
    this.#writes = writes;
    this.#checks = checks;
  }

  static async load(database: SqlDatabase, writes: LeaderWrites): Promise<CopyChecks> {
    const rows = await database.read((sql) =>
      sql.all<CheckRow>("SELECT grp, disk, checked_digest, checked_at FROM group_copy WHERE checked_at IS NOT NULL"),
    );
    const checks = rows.map((row): [string, CopyCheck] => [
      `${row.grp} ${row.disk}`,
      { checkedDigest: row.checked_digest ?? undefined, checkedAt: row.checked_at ?? undefined },
    ]);
    return new CopyChecks(writes, new Map(checks));
  }

  of({ group, disk }: CopyName): CopyCheck | undefined {
    return this.#checks.get(`${group} ${disk}`);
  }

  /** Found whole with this digest, or not whole with undefined; durable when it returns. */
  async note(copies: readonly (CopyName & { readonly digest: string | undefined })[], now: number): Promise<void> {
    if (copies.length === 0) return;
    await this.#writes.run(async (sql) => {
      for (const { group, disk, digest } of copies) {
        await sql.run(
          `INSERT INTO group_copy (grp, disk, checked_digest, checked_at) VALUES (?, ?, ?, ?) ON CONFLICT (grp, disk)
           DO UPDATE SET checked_digest = excluded.checked_digest, checked_at = excluded.checked_at`,
          group,
          disk,
          digest ?? null,
          now,
        );
      }
    });
    for (const { group, disk, digest } of copies) {
      this.#checks.set(`${group} ${disk}`, { checkedDigest: digest, checkedAt: now });
    }
  }

  /** The copies have changed since they were checked; durable when it returns. */
  async forget(copies: readonly CopyName[]): Promise<void> {
    const known = copies.filter((copy) => this.of(copy)?.checkedDigest !== undefined);
    if (known.length === 0) return;
    await this.#writes.run(async (sql) => {
      for (const { group, disk } of known) {
        await sql.run("UPDATE group_copy SET checked_digest = NULL WHERE grp = ? AND disk = ?", group, disk);
      }
    });
    for (const copy of known) {
      this.#checks.set(`${copy.group} ${copy.disk}`, {
        checkedDigest: undefined,
        checkedAt: this.of(copy)?.checkedAt,
      });
    }
  }
}
