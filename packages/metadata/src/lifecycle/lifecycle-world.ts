import type { Sql } from "@cairn/env";
import { bytesOfId, type DriveId, type LifecycleRule, lifecycleDocument } from "@cairn/protocol";
import type { ClusterCore } from "../service/cluster-core.ts";
import type { Store } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";

/** What carrying out the lifecycle rules of buckets needs. */
export interface LifecycleWorld {
  readonly store: Store;
  readonly core: Pick<ClusterCore, "leader" | "settings">;
}

/** A drive's rules at an instant, and the time that they are held against. */
export interface RulesNow {
  readonly rules: readonly LifecycleRule[];
  /** Wall clock ms. */
  readonly now: number;
  readonly dayMs: number;
}

/** What one bounded step of a walk did. */
export interface LifecycleStep {
  /** What went. */
  readonly removed: number;
  /** Where the next step begins; undefined: this was the last. */
  readonly next: Place | undefined;
}

/** Behind which key, and of it behind which id, a step begins. */
export interface Place {
  readonly key: string;
  readonly id?: string | undefined;
}

/** Empty when the drive has none. */
export async function rulesOf(sql: Sql, drive: DriveId): Promise<readonly LifecycleRule[]> {
  const row = await sql.get<{ body: string }>(
    "SELECT body FROM drive_document WHERE drive = ? AND name = ?",
    bytesOfId(drive),
    lifecycleDocument,
  );
  return row ? (JSON.parse(row.body) as LifecycleRule[]) : [];
}

/**
 * Removes in one transaction, with the rules as they are in it: what was found before is only where to look. Does nothing
 * when another server leads (throws stale).
 */
export function removeByRules(
  { store, core }: LifecycleWorld,
  { drive, now, count }: { readonly drive: DriveId; readonly now: number; readonly count: number },
  remove: (tx: Transaction, rules: RulesNow) => Promise<number>,
): Promise<number> {
  return store.queue.submit(async (tx) => {
    await core.leader.assertHeld(tx.sql);
    const rules = await rulesOf(tx.sql, drive);
    return await remove(tx, { rules, now, dayMs: core.settings.get("lifecycle.day") });
  }, 8 * count);
}

/** What the keys have in common that any of these rules is for. */
export function commonPrefix(rules: readonly LifecycleRule[]): string {
  const [first = "", ...others] = rules.map(({ filter }) => filter.prefix ?? "");
  let length = first.length;
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--;
  // Half of a character that takes two is no text.
  return first.slice(0, length).replace(/[\ud800-\udbff]$/, "");
}
