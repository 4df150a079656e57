import type { Sql } from "@cairn/env";
import {
  bytesOfId,
  compareBytes,
  type DriveId,
  idFromBytes,
  isNoncurrentExpired,
  type ListedObject,
} from "@cairn/protocol";
import type { DriveRecord } from "../namespace/drive-table.ts";
import type { EntryRow } from "../namespace/entry-row.ts";
import { findKey } from "../namespace/object-lookup.ts";
import { Reclaimer, reclaimBudget } from "../namespace/reclaim.ts";
import { noteObject } from "../notification/object-events.ts";
import { listObjects } from "../objects/object-listing.ts";
import { treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import {
  commonPrefix,
  type LifecycleStep,
  type LifecycleWorld,
  type Place,
  type RulesNow,
  removeByRules,
} from "./lifecycle-world.ts";
import { tagsOf } from "./object-expiry.ts";

/** Keys looked at in one step; versions of one key removed in one transaction. */
const lookedAtOnce = 500;
const removedAtOnce = 100;
const removedPerStep = 1000;

/** A version that is not current any more. */
interface OldVersion {
  readonly id: Uint8Array;
  readonly size: number;
  readonly meta: string | null;
  readonly created_at: number;
  /** When the next one was written. */
  readonly since: number;
  /** Versions between it and the current one. */
  readonly newer: number;
}

/** Drops versions of one page of keys that have long not been current. The current ones, and the trash, are not touched. */
export async function expireVersions(
  world: LifecycleWorld,
  drive: DriveId,
  { after, ...rules }: RulesNow & { readonly after: Place | undefined },
): Promise<LifecycleStep> {
  const { store } = world;
  const expiring = rules.rules.filter(({ enabled, noncurrentExpiration }) => enabled && noncurrentExpiration);
  if (expiring.length === 0 || !(await store.database.read((sql) => hasOld(sql, world, drive))))
    return { removed: 0, next: undefined };
  const page = await listObjects(store, drive, {
    ...{ prefix: commonPrefix(expiring), delimiter: "", after: after?.key ?? "", size: lookedAtOnce },
  });
  let removed = 0;
  let before = after?.key ?? "";
  for (const object of page.objects) {
    for (let went = removedAtOnce; went === removedAtOnce; removed += went) {
      // A key may have any number of versions: the next step goes on with it.
      if (removed >= removedPerStep) return { removed, next: { key: before } };
      went = await expireOne(world, drive, { object, rules: { ...rules, rules: expiring } });
    }
    before = object.key;
  }
  return { removed, next: page.next === undefined ? undefined : { key: page.next } };
}

/** A drive whose files all have one version is not walked over. */
async function hasOld(sql: Sql, { store }: LifecycleWorld, id: DriveId): Promise<boolean> {
  const { scope } = await store.drives.byId(sql, id);
  const row = await sql.get<{ files: number; versions: number }>(
    "SELECT SUM(files) AS files, SUM(versions) AS versions FROM usage WHERE scope = ?",
    scope,
  );
  return (row?.versions ?? 0) > (row?.files ?? 0);
}

/** Removes the oldest versions of a key that are due, removedAtOnce at most; tells how many. */
async function expireOne(
  world: LifecycleWorld,
  drive: DriveId,
  { object, rules }: { readonly object: ListedObject; readonly rules: RulesNow },
): Promise<number> {
  const { store } = world;
  const { key } = object;
  const found = await store.database.read(async (sql) => {
    const row = await sql.get<{ entry: Uint8Array }>(
      "SELECT entry FROM version WHERE id = ?",
      bytesOfId(object.version),
    );
    return row ? dueOf(key, await oldest(sql, row.entry, bytesOfId(object.version)), rules) : [];
  });
  if (found.length === 0) return 0;
  return await removeByRules(world, { drive, now: rules.now, count: found.length }, async (tx, current) => {
    const record = await store.drives.byId(tx.sql, drive);
    const { file } = await findKey(treeOf(store, tx), record, key);
    if (!file?.current_version) return 0;
    const due = dueOf(key, await oldest(tx.sql, file.id, file.current_version), current);
    return await drop(tx, { record, file, key }, { due, reclaimer: new Reclaimer(tx, store.drives, reclaimBudget) });
  });
}

async function drop(
  tx: Transaction,
  { record, file, key }: { readonly record: DriveRecord; readonly file: EntryRow; readonly key: string },
  { due, reclaimer }: { readonly due: readonly OldVersion[]; readonly reclaimer: Reclaimer },
): Promise<number> {
  let went = 0;
  for (const { id } of due) {
    if (!(await reclaimer.olderVersion(file, id))) continue;
    await noteObject(tx, record, { event: "LifecycleExpiration:Delete", key, version: idFromBytes("v_", id) });
    went++;
  }
  return went;
}

/** The oldest versions behind the current one, oldest first. */
async function oldest(sql: Sql, entry: Uint8Array, current: Uint8Array): Promise<readonly OldVersion[]> {
  const rows = await sql.all<Omit<OldVersion, "since" | "newer">>(
    `SELECT id, size, meta, created_at FROM version WHERE entry = ? AND state = 0 ORDER BY sequence LIMIT ${removedAtOnce + 1}`,
    entry,
  );
  if (rows.length < 2) return [];
  const count = await sql.get<{ count: number }>(
    "SELECT COUNT(*) AS count FROM version WHERE entry = ? AND state = 0",
    entry,
  );
  const last = (count?.count ?? 0) - 1;
  // The one behind them, or the current one, says since when the last of them is old.
  return rows.slice(0, -1).flatMap((row, index) => {
    const next = rows[index + 1];
    if (!next || compareBytes(row.id, current) === 0) return [];
    return [{ ...row, since: next.created_at, newer: last - 1 - index }];
  });
}

function dueOf(key: string, versions: readonly OldVersion[], { rules, now, dayMs }: RulesNow): OldVersion[] {
  return versions.filter(({ size, meta, created_at, since, newer }) =>
    isNoncurrentExpired(rules, { key, size, tags: tagsOf(meta), createdAt: created_at, since, newer }, { now, dayMs }),
  );
}
