import type { Sql } from "@cairn/env";
import {
  bytesOfId,
  compareBytes,
  type DriveId,
  expirationOf,
  type LifecycleObject,
  type ListedObject,
  type ObjectAttributes,
  timeOfId,
} from "@cairn/protocol";
import { findKey } from "../namespace/object-lookup.ts";
import { listObjects } from "../objects/object-listing.ts";
import { Removal } from "../objects/object-removal.ts";
import { treeOf } from "../sql/store.ts";
import {
  commonPrefix,
  type LifecycleStep,
  type LifecycleWorld,
  type Place,
  type RulesNow,
  removeByRules,
} from "./lifecycle-world.ts";

/** Keys looked at in one step, and removed in one transaction. */
const lookedAtOnce = 1000;
const removedAtOnce = 250;

/** Removes the current versions of one page of keys that have expired, each as DeleteObject would. */
export async function expireObjects(
  world: LifecycleWorld,
  drive: DriveId,
  { after, ...rules }: RulesNow & { readonly after: Place | undefined },
): Promise<LifecycleStep> {
  const { store } = world;
  const expiring = rules.rules.filter(
    ({ enabled, expiration }) => enabled && expiration !== undefined && !("expiredObjectDeleteMarker" in expiration),
  );
  if (expiring.length === 0) return { removed: 0, next: undefined };
  const page = await listObjects(store, drive, {
    ...{ prefix: commonPrefix(expiring), delimiter: "", after: after?.key ?? "", size: lookedAtOnce },
  });
  // Tags are no part of a listing: they are looked at where all else holds.
  const untagged = expiring.map((rule) => ({ ...rule, filter: { ...rule.filter, tags: [] } }));
  const old = page.objects.filter(({ key, size, version }) =>
    isDue({ key, size, tags: undefined, createdAt: timeOfId(version) }, { ...rules, rules: untagged }),
  );
  const due = await store.database.read((sql) => dueOf(sql, old, { ...rules, rules: expiring }));
  let removed = 0;
  for (let start = 0; start < due.length; start += removedAtOnce) {
    const batch = due.slice(start, start + removedAtOnce);
    removed += await removeByRules(world, { drive, now: rules.now, count: batch.length }, async (tx, current) => {
      const record = await store.drives.byId(tx.sql, drive);
      const tree = treeOf(store, tx);
      const removal = new Removal(store, tx, { drive: record, kind: "LifecycleExpiration" });
      let went = 0;
      for (const { key, version } of await dueOf(tx.sql, batch, current)) {
        const { file } = await findKey(tree, record, key);
        if (!file?.current_version || compareBytes(file.current_version, bytesOfId(version)) !== 0) continue;
        if ((await removal.one({ key })).removed) went++;
      }
      return went;
    });
  }
  return { removed, next: page.next === undefined ? undefined : { key: page.next } };
}

async function dueOf(sql: Sql, objects: readonly ListedObject[], rules: RulesNow): Promise<ListedObject[]> {
  const due: ListedObject[] = [];
  for (const object of objects) {
    const row = await sql.get<{ created_at: number; size: number; meta: string | null }>(
      "SELECT created_at, size, meta FROM version WHERE id = ?",
      bytesOfId(object.version),
    );
    if (row && isDue({ key: object.key, size: row.size, tags: tagsOf(row.meta), createdAt: row.created_at }, rules))
      due.push(object);
  }
  return due;
}

function isDue(object: LifecycleObject, { rules, now, dayMs }: RulesNow): boolean {
  const expiration = expirationOf(rules, object, dayMs);
  return expiration !== undefined && expiration.at <= now;
}

/** Of what stands in version.meta. */
export function tagsOf(meta: string | null): ObjectAttributes["tags"] {
  return meta === null ? undefined : (JSON.parse(meta) as ObjectAttributes).tags;
}
