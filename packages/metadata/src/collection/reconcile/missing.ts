import type { DiskId, Generation, GroupId } from "@cairn/protocol";
import { queueBadCopy } from "../../cluster/bad-copies.ts";
import type { Transaction } from "../../sql/transaction.ts";
import type { MissingRecord } from "./copy-compare.ts";
import type { HeldRecord } from "./inventory-walk.ts";

/** Repairs queued in one transaction. */
export const missingAtOnce = 256;

/** Looks only for some records in the pages of a walk. */
export class WantedRecords {
  readonly #wanted: Set<string>;
  readonly #found = new Set<string>();

  constructor(wanted: readonly MissingRecord[]) {
    this.#wanted = new Set(wanted.map(keyOfRecord));
  }

  see(records: readonly HeldRecord[]): void {
    for (const record of records) {
      const key = keyOfRecord(record);
      if (this.#wanted.has(key)) this.#found.add(key);
    }
  }

  has(record: MissingRecord): boolean {
    return this.#found.has(keyOfRecord(record));
  }
}

/**
 * Queues repairs of what a member lacks, in the caller's transaction: only while the disk is a member in use, and only
 * of chunks that are still live in this generation and group. What is queued already stays as it is. Tells how many are new.
 */
export async function queueMissing(
  tx: Transaction,
  copy: { readonly group: GroupId; readonly disk: DiskId },
  missing: readonly MissingRecord[],
): Promise<number> {
  const slots = await tx.all<{ disk: DiskId }>(
    "SELECT disk FROM grp_slot WHERE grp = ? AND state <> 1 ORDER BY slot",
    copy.group,
  );
  const disks = slots.map((slot) => slot.disk);
  if (!disks.includes(copy.disk)) return 0;
  let queued = 0;
  for (const { id, generation } of missing) {
    const bad = { ...copy, id, generation: generation as Generation, what: "missing" as const };
    if (await queueBadCopy(tx.sql, bad, { slots: disks, now: tx.now })) queued++;
  }
  return queued;
}

function keyOfRecord({ id, generation }: { readonly id: string; readonly generation: number }): string {
  return `${id} ${generation}`;
}
