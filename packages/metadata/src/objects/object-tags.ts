import { type DriveId, type ObjectAttributes, objectTag, StorageError } from "@cairn/protocol";
import { objectOf } from "../namespace/object-lookup.ts";
import { type Store, treeOf } from "../sql/store.ts";

/** Changes the tags of an object's current version. Throws not-found. */
export async function setObjectTags(
  store: Store,
  { drive, key }: { readonly drive: DriveId; readonly key: string },
  tags: Readonly<Record<string, string>>,
): Promise<void> {
  await store.queue.submit(async (tx) => {
    const { row, entry } = await objectOf(treeOf(store, tx), await store.drives.byId(tx.sql, drive), key);
    const version = await tx.get<{ meta: string | null }>("SELECT meta FROM version WHERE id = ?", row.current_version);
    if (!version) throw new StorageError("not-found", "tag object", key.slice(0, 200));
    const before = version.meta === null ? { tag: objectTag(entry) } : (JSON.parse(version.meta) as ObjectAttributes);
    await tx.run("UPDATE version SET meta = ? WHERE id = ?", JSON.stringify({ ...before, tags }), row.current_version);
  });
}
