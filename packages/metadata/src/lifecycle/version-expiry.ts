import type { Sql } from "@cairn/env";
import {
  bytesOfId,
  type DriveId,
  fromUtf8,
  idFromBytes,
  isKind,
  isNoncurrentExpired,
  type RemovedObject,
  type VersionId,
} from "@cairn/protocol";
import type { DriveRecord } from "../namespace/drive-table.ts";
import { type EntryRow, fileKind } from "../namespace/entry-row.ts";
import { findKey } from "../namespace/object-lookup.ts";
import type { Tree } from "../namespace/tree.ts";
import { behind, listObjects } from "../objects/object-listing.ts";
import { Removal } from "../objects/object-removal.ts";
import { pathOfKey, trashedAtKey } from "../objects/version-lookup.ts";
import { readTree, treeOf } from "../sql/store.ts";
import {
  commonPrefix,
  type LifecycleStep,
  type LifecycleWorld,
  type Place,
  type RulesNow,
  removeByRules,
} from "./lifecycle-world.ts";
import { tagsOf } from "./object-expiry.ts";

/** Keys looked at in one step; versions removed in one transaction, and in one step. */
const keysAtOnce = 500;
const removedAtOnce = 100;
const removedPerStep = 1000;
/** Files in the trash of one key that are looked at, and versions of one file: the oldest of them first. */
const filesLooked = 1000;

/** A version that is not current any more. */
interface OldVersion {
  readonly id: VersionId;
  readonly size: number;
  readonly meta: string | null;
  readonly createdAt: number;
  /** When the next one was written, or the object was removed. */
  readonly since: number;
  /** Versions of the key that are newer and not current either. */
  readonly newer: number;
}

/** Removes versions of one page of keys that have long not been current: behind the current ones. */
export function expireVersions(
  world: LifecycleWorld,
  drive: DriveId,
  request: RulesNow & { readonly after: Place | undefined },
): Promise<LifecycleStep> {
  return new VersionWalk(world, drive, request).step(async (prefix, after) => {
    const page = await listObjects(world.store, drive, { prefix, delimiter: "", after, size: keysAtOnce });
    return { keys: page.objects.map(({ key }) => key), next: page.next };
  });
}

/** The same of objects that were removed, and whose versions lie in the trash. */
export function expireRemoved(
  world: LifecycleWorld,
  drive: DriveId,
  request: RulesNow & { readonly after: Place | undefined },
): Promise<LifecycleStep> {
  return new VersionWalk(world, drive, request).step(async (prefix, after) => {
    const paths = await world.store.database.read((sql) =>
      sql.all<{ path: Uint8Array }>(
        `SELECT DISTINCT original_path AS path FROM entry WHERE drive = ? AND original_path > ? AND original_path >= ?
         AND original_path < ? AND trashed_at IS NOT NULL AND kind = ${fileKind} ORDER BY original_path LIMIT ${keysAtOnce}`,
        bytesOfId(drive),
        pathOfKey(after),
        pathOfKey(prefix),
        behind(pathOfKey(prefix)),
      ),
    );
    const keys = paths.map(({ path }) => fromUtf8(path.subarray(1)));
    return { keys, next: keys.length < keysAtOnce ? undefined : keys.at(-1) };
  });
}

/** A step over keys. */
class VersionWalk {
  readonly #world: LifecycleWorld;
  readonly #drive: DriveId;
  readonly #rules: RulesNow;
  readonly #after: string;

  constructor(world: LifecycleWorld, drive: DriveId, { after, ...rules }: RulesNow & { after: Place | undefined }) {
    this.#world = world;
    this.#drive = drive;
    this.#rules = { ...rules, rules: rules.rules.filter((rule) => rule.enabled && rule.noncurrentExpiration) };
    this.#after = after?.key ?? "";
  }

  async step(
    page: (
      prefix: string,
      after: string,
    ) => Promise<{ readonly keys: readonly string[]; readonly next: string | undefined }>,
  ): Promise<LifecycleStep> {
    const { rules } = this.#rules;
    if (rules.length === 0 || !(await this.#hasOld())) return { removed: 0, next: undefined };
    const { keys, next } = await page(commonPrefix(rules), this.#after);
    let removed = 0;
    let before = this.#after;
    for (const key of keys) {
      for (let went = removedAtOnce; went === removedAtOnce; removed += went) {
        // A key may have any number of versions: the next step goes on with it.
        if (removed >= removedPerStep) return { removed, next: { key: before } };
        went = await this.#expire(key);
      }
      before = key;
    }
    return { removed, next: next === undefined ? undefined : { key: next } };
  }

  /** A drive whose files all have one version and stand where they stood is not walked over. */
  async #hasOld(): Promise<boolean> {
    const { database, drives } = this.#world.store;
    const row = await database.read(async (sql) =>
      sql.get<{ old: number }>(
        "SELECT SUM(versions) - SUM(files) + SUM(trashed) AS old FROM usage WHERE scope = ?",
        (await drives.byId(sql, this.#drive)).scope,
      ),
    );
    return (row?.old ?? 0) > 0;
  }

  /** Removes the oldest versions of a key that are due, removedAtOnce at most; tells how many. */
  async #expire(key: string): Promise<number> {
    const { store } = this.#world;
    const drive = this.#drive;
    const found = await readTree(store, async (tree, sql) =>
      dueOf(key, await oldVersions(tree, await store.drives.byId(sql, drive), key), this.#rules),
    );
    if (found.length === 0) return 0;
    const { now } = this.#rules;
    return await removeByRules(this.#world, { drive, now, count: found.length }, async (tx, current) => {
      const record = await store.drives.byId(tx.sql, drive);
      const removal = new Removal(store, tx, { drive: record, kind: "LifecycleExpiration" });
      let went = 0;
      for (const { id: version } of dueOf(key, await oldVersions(treeOf(store, tx), record, key), current)) {
        if (await isRemoved(removal.one({ key, version }))) went++;
      }
      return went;
    });
  }
}

/** False for what object lock keeps: rules pass it by. */
async function isRemoved(removal: Promise<RemovedObject>): Promise<boolean> {
  try {
    return (await removal).removed;
  } catch (error) {
    if (isKind(error, "forbidden")) return false;
    throw error;
  }
}

/** Versions of a key that are not current, the newest file first, of each the oldest versions first. */
async function oldVersions(tree: Tree, drive: DriveRecord, key: string): Promise<readonly OldVersion[]> {
  const { file: live } = await findKey(tree, drive, key);
  const found: OldVersion[] = [];
  let newer = 0;
  for (const file of [...(live ? [live] : []), ...(await trashedAtKey(tree.sql, drive, key, filesLooked))]) {
    const count = await countVersions(tree.sql, file);
    // The current one of an object that is there is none of them.
    const old = file === live ? count - 1 : count;
    found.push(...(await oldest(tree.sql, file, { old, newer })));
    newer += old;
  }
  return found;
}

/** The oldest `removedAtOnce` of a file's `old` versions that are not current. */
async function oldest(
  sql: Sql,
  file: EntryRow,
  { old, newer }: { readonly old: number; readonly newer: number },
): Promise<OldVersion[]> {
  const rows = await sql.all<{ id: Uint8Array; size: number; meta: string | null; created_at: number }>(
    `SELECT id, size, meta, created_at FROM version WHERE entry = ? AND state = 0 ORDER BY sequence LIMIT ${removedAtOnce + 1}`,
    file.id,
  );
  return rows.slice(0, Math.min(removedAtOnce, old)).flatMap((row, index) => {
    const since = rows[index + 1]?.created_at ?? file.trashed_at;
    if (since === null) return [];
    const { size, meta, created_at: createdAt } = row;
    return [{ id: idFromBytes("v_", row.id), size, meta, createdAt, since, newer: newer + old - 1 - index }];
  });
}

async function countVersions(sql: Sql, file: EntryRow): Promise<number> {
  const row = await sql.get<{ count: number }>(
    "SELECT COUNT(*) AS count FROM version WHERE entry = ? AND state = 0",
    file.id,
  );
  return row?.count ?? 0;
}

function dueOf(key: string, versions: readonly OldVersion[], { rules, now, dayMs }: RulesNow): OldVersion[] {
  return versions
    .filter(({ meta, ...version }) =>
      isNoncurrentExpired(rules, { ...version, key, tags: tagsOf(meta) }, { now, dayMs }),
    )
    .slice(0, removedAtOnce);
}
